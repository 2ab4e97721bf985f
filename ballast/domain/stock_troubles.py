"""What can be wrong with the stock of a place, in words for people."""

from enum import StrEnum
from typing import Final

from ballast.domain.words import Label


class Trouble(StrEnum):
    """It rings once when it begins, and again when it comes back after it was over."""

    BELOW_LINE = "below_line"  # less can be promised than its safety line
    REFUSED = "refused"  # its row in the ERP's list is not taken; the figure that was known stays and grows older
    NOT_COUNTED = "not_counted"  # its row in the warehouse's list is not taken
    DRIFT = "drift"  # ERP and warehouse counted differently twice, one count after the other
    NO_PULL = "no_pull"  # of all places: the ERP's list was not read whole for too long
    SHRUNK = "shrunk"  # of all places: most of what had pieces is missing in the ERP's list, which is not taken


TROUBLE_LABELS: Final[dict[Trouble, Label]] = {
    Trouble.BELOW_LINE: Label(
        "below its safety line", "低于安全库存线", "restock it, or lower the line", "补货或调低安全线"
    ),
    Trouble.REFUSED: Label(
        "a stock row of the ERP is refused", "ERP 库存行被拒收",
        "mend the row in the ERP; the figure before it stays and grows older",
        "在 ERP 更正该行; 此前的数保留并逐渐过期",
    ),
    Trouble.NOT_COUNTED: Label(
        "a stock row of the warehouse is refused", "仓库库存行被拒收", "have the warehouse mend the row",
        "请仓库更正该行",
    ),
    Trouble.DRIFT: Label(
        "ERP and warehouse count differently", "ERP 与仓库数量不一致", "count it, then correct whoever is wrong",
        "盘点后更正有误的一方",
    ),
    Trouble.NO_PULL: Label(
        "the stock figures are not renewed", "库存数未更新", "see the run `sync-inventory`, then the ERP",
        "查看 `sync-inventory` 运行与 ERP",
    ),
    Trouble.SHRUNK: Label(
        "the ERP's stock list has lost most of its goods", "ERP 库存清单大量缺失",
        "mend the ERP's list or the user's rights; if it is right, run `sync-inventory` with accept_less",
        "检查 ERP 清单或用户权限; 若属实, 勾选 accept_less 运行 `sync-inventory`",
    ),
}  # fmt: skip
