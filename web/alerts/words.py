"""Words of the alert page in both languages."""

from typing import Final

from ballast.domain.words import Label

PAGE: Final[dict[str, Label]] = {
    "alert": Label("Alert", "告警"),
    "order": Label("order", "订单"),
    "raised": Label("raised", "发出时间"),
    "level": Label("level", "级别"),
    "climbs": Label("told further", "下次升级"),
    "acknowledged": Label("looked after by", "接手人"),
    "resolved": Label("resolved by", "解决人"),
    "ended": Label("over since", "结束时间"),
    "note": Label("note", "备注"),
    "nobody": Label("nobody yet", "尚无人处理"),
    "told": Label("Who was told", "通知记录"),
    "step": Label("step", "级"),
    "channel": Label("channel", "渠道"),
    "people": Label("people", "通知对象"),
    "sent": Label("sent", "发送时间"),
    "not_sent": Label("not sent", "未发送"),
    "under_way": Label("under way", "发送中"),
    "group": Label("the group", "群"),
    "nobody_told": Label("Nobody was told yet.", "尚未通知任何人。"),
    "answer": Label("Answer it", "处理"),
    "your_name": Label("your name", "您的姓名"),
    "your_note": Label("what you found or did", "处理情况"),
    "ack": Label("I look after it", "我来处理"),
    "resolve": Label("It is dealt with", "已处理完毕"),
    "explain": Label(
        "«I look after it» stops the climb; «It is dealt with» ends the alert. Your name and the time are kept.",
        "“我来处理”将停止逐级升级；“已处理完毕”将结束告警。系统会保存您的姓名和时间。",
    ),
    "zone": Label("all times are Beijing time (UTC+8)", "时间均为北京时间 (UTC+8)"),
    "as_of": Label("As of", "截至"),
}

LEVELS: Final[dict[str, Label]] = {
    "urgent": Label("urgent", "紧急"),
    "warning": Label("warning", "警告"),
    "info": Label("info", "提示"),
}

STATES: Final[dict[str, Label]] = {
    "open": Label("nobody looks after it", "待处理"),
    "acknowledged": Label("somebody looks after it", "处理中"),
    "resolved": Label("resolved", "已解决"),
    "over": Label("over by itself", "已自行结束"),
}

MISSING: Final = Label(
    "There is no such alert, or the link is not complete. Open it again from the message, or see `ballast alerts`.",
    "没有此告警, 或链接不完整。请从消息中重新打开链接, 或运行 `ballast alerts` 查看。",
)
NO_NAME: Final = Label(
    "Nothing was changed: type your name first (60 characters at most, a note 500).",
    "未做任何改动：请先填写姓名（最多 60 个字符，备注最多 500 个字符）。",
)
