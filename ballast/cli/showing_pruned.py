"""What a prune did, in the terminal."""

from rich.console import Console
from rich.table import Table

from ballast.clock import to_local
from tasks.pruning import Pruned


def show_pruned(done: Pruned, language: str, console: Console) -> None:
    zh = language == "zh"
    before = to_local(done.before)
    if not (said := done.said(language)):
        console.print(f"{before} 之前没有可归档的订单" if zh else f"nothing closed before {before}")
    else:
        heads = ("内容", "数量") if zh else ("what", "rows")
        title = (f"{before} 之前关闭的订单" if zh else f"closed before {before}") + (
            (" (试运行, 未改动)" if zh else " (dry run, nothing was changed)") if done.dry_run else ""
        )
        console.print(title)
        table = Table(*heads)
        for what, count in said:
            table.add_row(what, str(count))
        console.print(table)
    if done.archived and not done.dry_run:
        each = done.archive_bytes // done.archived
        console.print(
            f"归档每单 {each} 字节; 腾出的空间由新订单重复使用, 文件不会变小"
            if zh
            else f"{each} bytes per order in the archive; the room that they left is used again, no file shrinks"
        )
    if not done.whole:
        console.print("中途结束, 再次运行即可继续" if zh else "ended half-way: start it again, it goes on")
