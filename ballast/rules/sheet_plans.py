"""The sheets of every kind of book, column by column, with the words that explain them to people."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from types import MappingProxyType
from typing import Final

from ballast.domain.money import MINOR_DIGITS
from ballast.domain.rules.prices import PriceKind
from ballast.domain.rules.promotions import Choice, PromotionKind
from ballast.domain.rules.risk import Action
from ballast.rules.columns import Column, Holds, Kind, SheetPlan

PRICE_KINDS: Final = {
    PriceKind.CONTRACT.value: "合同价",
    PriceKind.TIER.value: "阶梯价/等级价",
    PriceKind.LIMITED.value: "限时价",
}
PROMOTION_KINDS: Final = {
    PromotionKind.SPEND_OFF.value: "满减",
    PromotionKind.PERCENT.value: "折扣/打折",
    PromotionKind.FIXED_PRICE.value: "一口价",
    PromotionKind.NTH_ITEM.value: "第N件",
    PromotionKind.GIFT.value: "赠品/满赠",
    PromotionKind.COUPON.value: "优惠券/券",
    PromotionKind.FREE_SHIPPING.value: "包邮",
}
ACTIONS: Final = {Action.SCORE.value: "计分", Action.HOLD.value: "暂停发货", Action.REVIEW.value: "人工复核"}

_SHARE: Final = (
    "what is paid: 9折 or 90% pays 90 %, 10% off pays 90 % too; a bare number is asked about",
    "实付比例: 9折 或 90% 即付 90 %, 减10% 也是付 90 %; 只写一个数字会被退回询问",
)
_STARTS: Final = (
    "from when, local time of China; a bare date: from its midnight on; empty: since ever",
    "起始时间 (北京时间); 只写日期即当天 0 点起; 空: 不限",
)
_ENDS: Final = (
    "until when, no longer at that moment; a bare date: to the end of that day; empty: for ever",
    "截止时间 (不含该时刻); 只写日期即到当天结束; 空: 不限",
)
_FLAG_HELP: Final = ("yes or no", "是 或 否")

CURRENCY: Final = Column(
    name="currency", chinese="币种", holds=Holds.CHOICE, example="CNY", shown=True,
    choices=MappingProxyType(dict.fromkeys(sorted(MINOR_DIGITS), "")),
    help="currency of the amounts in this row; empty: CNY", help_chinese="本行金额的币种; 空: CNY",
)  # fmt: skip
TAX: Final = Column(
    name="tax_included", chinese="含税", holds=Holds.FLAG, example="yes", shown=True,
    help="whether the amounts include tax: yes or no; empty: yes", help_chinese="金额是否含税; 空: 是",
)  # fmt: skip
STARTS: Final = Column(
    name="starts", chinese="开始", holds=Holds.TIME, example="2026-12-12 08:00", also=("开始时间", "生效", "from"),
    help=_STARTS[0], help_chinese=_STARTS[1],
)  # fmt: skip
ENDS: Final = Column(
    name="ends", chinese="结束", holds=Holds.END, example="2026-12-31", also=("结束时间", "截止", "until"),
    help=_ENDS[0], help_chinese=_ENDS[1],
)  # fmt: skip
PAYS: Final = Column(
    name="pays", chinese="折扣", holds=Holds.SHARE, example="9折", help=_SHARE[0], help_chinese=_SHARE[1]
)  # fmt: skip
NOTE: Final = Column(
    name="note",
    chinese="备注",
    holds=Holds.PROSE,
    help="for people; nothing reads it",
    help_chinese="给人看的, 不参与计算",
)
WHEN: Final = Column(
    name="when", chinese="条件", holds=Holds.EXPRESSION, example='amount > 5000 and province == "浙江"',
    help="a condition over the facts of the order; empty: always", help_chinese="按订单事实写的条件; 空: 总是成立",
)  # fmt: skip
ON: Final = Column(
    name="on", chinese="启用", holds=Holds.FLAG, example="yes", shown=True, also=("enabled", "开关"),
    help="no switches the row off; empty: yes", help_chinese="否: 本行停用; 空: 是",
)  # fmt: skip
TITLE: Final = Column(
    name="title",
    chinese="标题",
    holds=Holds.PROSE,
    example="满300减50",
    help="what people call it",
    help_chinese="给人看的名称",
)

OPTION_SHEET: Final = SheetPlan(
    "options",
    "选项",
    (
        Column(name="option", chinese="选项", holds=Holds.NAME, needed=True, example="gate",
               help="which setting; the sheet lists all", help_chinese="哪一项设置"),
        Column(name="value", chinese="值", holds=Holds.VALUE, example="yes",
               help="what it is set to; empty: as it comes", help_chinese="设置的值; 空: 默认"),
    ),
    also=("设置",),
)  # fmt: skip

PRODUCTS: Final = SheetPlan(
    "products",
    "商品",
    (
        Column(name="sku", chinese="商品编码", holds=Holds.NAME, needed=True, example="TEA-399", also=("编码",),
               help="the SKU, once", help_chinese="商品编码, 每个一行"),
        Column(name="name", chinese="名称", holds=Holds.PROSE, example="明前龙井礼盒", also=("商品名称", "品名"),
               help="what people call it", help_chinese="商品名称"),
        Column(name="series", chinese="系列", holds=Holds.NAME, example="green-tea",
               help="the series that price rows and promotions may name",
               help_chinese="所属系列, 价格行与促销可按系列写"),
        Column(name="list_price", chinese="标价", holds=Holds.MONEY, example="399.00", also=("吊牌价",),
               help="price per piece where no row gives one; empty: then it has none",
               help_chinese="没有价格行命中时的单价; 空: 则无价"),
        Column(name="floor", chinese="底价", holds=Holds.MONEY, example="280.00", also=("最低价",),
               help="nothing sells a piece for less; empty: 0", help_chinese="任何规则都不会低于此价; 空: 0"),
        CURRENCY,
        TAX,
    ),
)  # fmt: skip

TIERS: Final = SheetPlan(
    "tiers",
    "客户等级",
    (
        Column(name="tier", chinese="等级", holds=Holds.NAME, needed=True, example="gold", also=("客户等级",),
               help="a customer tier, once", help_chinese="客户等级, 每个一行"),
        NOTE,
    ),
)  # fmt: skip

PRICES: Final = SheetPlan(
    "prices",
    "价格",
    (
        Column(name="row", chinese="行名", holds=Holds.NAME, needed=True, example="gold-tea-100", also=("编号",),
               help="name of this row, once: explanations name it", help_chinese="本行名称, 不可重复, 解释时会引用"),
        Column(name="kind", chinese="类型", holds=Holds.CHOICE, needed=True, choices=PRICE_KINDS, example="tier",
               help="contract: agreed with a customer or tier; tier: by quantity; limited: for a time",
               help_chinese="合同价: 与客户或等级约定; 阶梯价: 按数量; 限时价: 限定时间"),
        Column(name="customer", chinese="客户", holds=Holds.NAME, example="C1001", also=("客户编号",),
               help="for this customer only; with tier empty too: for everybody",
               help_chinese="只对该客户; 与等级都空: 对所有人"),
        Column(name="tier", chinese="等级", holds=Holds.NAME, example="gold", also=("客户等级",),
               help="for this tier only", help_chinese="只对该等级"),
        Column(name="sku", chinese="商品编码", holds=Holds.NAME, example="TEA-399", also=("编码",),
               help="for this SKU; with series empty too: for everything",
               help_chinese="只对该商品; 与系列都空: 对所有商品"),
        Column(name="series", chinese="系列", holds=Holds.NAME, example="green-tea",
               help="for every SKU of this series", help_chinese="对该系列的所有商品"),
        Column(name="from_quantity", chinese="起订量", holds=Holds.COUNT, example="100", least=1, shown=True,
               also=("起始数量", "数量起"), help="from how many pieces of the line on; empty: 1",
               help_chinese="该行商品达到多少件起适用; 空: 1"),
        STARTS,
        ENDS,
        Column(name="price", chinese="单价", holds=Holds.MONEY, example="329.00", also=("价格",),
               help="price per piece; either this or pays", help_chinese="每件价格; 与折扣二选一"),
        replace(PAYS, help=f"only of kind limited: {_SHARE[0]}", help_chinese=f"仅限时价可用; {_SHARE[1]}"),
        CURRENCY,
        TAX,
        NOTE,
    ),
)  # fmt: skip

PROMOTIONS: Final = SheetPlan(
    "promotions",
    "促销",
    (
        Column(name="name", chinese="名称", holds=Holds.NAME, needed=True, example="spend-300-50",
               help="name of the promotion, once", help_chinese="促销的代号, 不可重复"),
        Column(name="kind", chinese="类型", holds=Holds.CHOICE, needed=True,
               choices=PROMOTION_KINDS, example="spend_off",
               help="what it does; it says which of the columns below have to be filled",
               help_chinese="做什么; 决定下面哪些列要填"),
        TITLE,
        ON,
        Column(name="priority", chinese="优先级", holds=Holds.COUNT, example="100", shown=True, most=1_000_000,
               help="the smaller, the earlier; empty: 100", help_chinese="越小越先算; 空: 100"),
        Column(name="skus", chinese="商品编码", holds=Holds.WORDS, example="TEA-399, TEA-199", also=("sku", "商品"),
               help="only these SKUs", help_chinese="只限这些商品"),
        Column(name="series", chinese="系列", holds=Holds.WORDS, example="green-tea",
               help="and those of these series", help_chinese="以及这些系列的商品"),
        Column(name="channels", chinese="渠道", holds=Holds.WORDS, example="wechat", also=("channel",),
               help="only orders of these shops", help_chinese="只限这些渠道的订单"),
        Column(name="tiers", chinese="客户等级", holds=Holds.WORDS, example="gold, vip", also=("tier", "等级"),
               help="only customers of these tiers", help_chinese="只限这些等级的客户"),
        Column(name="customers", chinese="客户", holds=Holds.WORDS, example="C1001", also=("customer",),
               help="only these customers", help_chinese="只限这些客户"),
        STARTS,
        ENDS,
        Column(name="first_order", chinese="首单", holds=Holds.FLAG, example="no",
               help="yes: first orders only; no: returning customers only; empty: both",
               help_chinese="是: 仅首单; 否: 仅老客; 空: 不限"),
        WHEN,
        Column(name="threshold", chinese="门槛", holds=Holds.MONEY, example="300.00", also=("满",),
               help="from what the lines in scope cost at that moment; empty: 0",
               help_chinese="适用商品当时金额达到多少; 空: 0"),
        Column(name="off", chinese="减额", holds=Holds.MONEY, example="50.00", also=("减",),
               help="amount off: spend_off, or coupon", help_chinese="减多少: 用于满减或优惠券"),
        Column(name="per_multiple", chinese="每满", holds=Holds.FLAG, example="no",
               help="yes: for every multiple of the threshold; empty: no",
               help_chinese="是: 每满一次门槛都算; 空: 否"),
        replace(PAYS, help=f"percent, coupon, nth_item (free, too): {_SHARE[0]}",
                help_chinese=f"用于折扣、优惠券、第N件 (可写 免费); {_SHARE[1]}"),
        Column(name="price", chinese="一口价", holds=Holds.MONEY, example="99.00",
               help="fixed_price: price per piece", help_chinese="一口价: 每件价格"),
        Column(name="nth", chinese="第几件", holds=Holds.COUNT, example="2", least=1, most=10_000,
               help="nth_item: every how manyth piece", help_chinese="第N件: 每第几件"),
        Column(name="gift_sku", chinese="赠品编码", holds=Holds.NAME, example="CUP-1", also=("赠品",),
               help="gift: its SKU", help_chinese="赠品的商品编码"),
        Column(name="gift_quantity", chinese="赠品数量", holds=Holds.COUNT, example="1", least=1, most=100_000,
               help="gift: how many pieces", help_chinese="赠品件数"),
        Column(name="code", chinese="券码", holds=Holds.NAME, example="NEW30",
               help="coupon: the code that the order brings", help_chinese="优惠券: 订单带来的券码"),
        Column(name="cap", chinese="封顶", holds=Holds.MONEY, example="200.00",
               help="the most it takes off one order; empty: no limit", help_chinese="每单最多优惠多少; 空: 不限"),
        Column(name="group", chinese="互斥组", holds=Holds.NAME, example="member",
               help="of one group at most one is applied", help_chinese="同组最多用一个"),
        Column(name="excludes", chinese="互斥", holds=Holds.WORDS, example="coupon-30",
               help="names that it does not go together with", help_chinese="与哪些促销不可同用 (写名称)"),
    ),
)  # fmt: skip

RULES: Final = SheetPlan(
    "rules",
    "风控",
    (
        Column(name="name", chinese="名称", holds=Holds.NAME, needed=True, example="pickup-high",
               help="name of the rule, once", help_chinese="规则的代号, 不可重复"),
        replace(TITLE, example="代收点高额"),
        ON,
        replace(WHEN, needed=True, example='contains(address, "代收点") and amount > 5000',
                help="a condition over the facts of the order", help_chinese="按订单事实写的条件"),
        Column(name="score", chinese="分数", holds=Holds.COUNT, example="60", most=1_000,
               help="points, 0 to 1,000; empty: 0", help_chinese="0 到 1,000 分; 空: 0"),
        Column(name="tag", chinese="标签", holds=Holds.NAME, example="pickup", help="a word for lists and reports",
               help_chinese="用于列表与报表的标签"),
        Column(name="action", chinese="处置", holds=Holds.CHOICE, choices=ACTIONS, example="hold", shown=True,
               help="score: points only; hold: not shipped before a person released it; review: a person looks before "
                    "stock is locked; empty: score",
               help_chinese="计分: 只计分; 暂停发货: 人工放行前不发货; 人工复核: 锁库前人工查看; 空: 计分"),
    ),
    also=("风控规则",),
)  # fmt: skip

PLACES: Final = SheetPlan(
    "places",
    "仓库",
    (
        Column(name="name", chinese="名称", holds=Holds.NAME, needed=True, example="hangzhou-east",
               help="name of the row, once", help_chinese="本行代号, 不可重复"),
        ON,
        Column(name="warehouse", chinese="仓库编码", holds=Holds.NAME, needed=True, example="CK001",
               help="the ERP's stock number", help_chinese="ERP 仓库编码"),
        Column(name="provinces", chinese="省份", holds=Holds.WORDS, example="浙江, 江苏",
               help="receivers that the row is about; empty: all. The warehouse's first row that fits counts",
               help_chinese="适用的收货省份; 空: 全部. 同一仓库取第一条命中的行"),
        Column(name="rank", chinese="远近", holds=Holds.COUNT, example="1", least=1, most=1_000,
               help="1 is nearest to these provinces; empty: near to none",
               help_chinese="1 为最近; 空: 不算近"),
        Column(name="priority", chinese="优先级", holds=Holds.COUNT, example="100", most=1_000_000,
               help="the lowest ships first; empty: 100", help_chinese="小者先发; 空: 100"),
        Column(name="parcel_cost", chinese="每单费用", holds=Holds.MONEY, example="8.00",
               help="cost of one parcel to these provinces; empty: not known", help_chinese="每个包裹的费用; 空: 未知"),
        Column(name="piece_cost", chinese="每件费用", holds=Holds.MONEY, example="0.50",
               help="cost of every piece in it; empty: none", help_chinese="每件的费用; 空: 无"),
    ),
)  # fmt: skip

STRATEGIES: Final = SheetPlan(
    "strategies",
    "策略",
    (
        Column(name="name", chinese="名称", holds=Holds.NAME, needed=True, example="east-nearest",
               help="name of the row, once; the first row that fits an order counts",
               help_chinese="本行代号, 不可重复; 取第一条命中的行"),
        ON,
        Column(name="channels", chinese="渠道", holds=Holds.WORDS, example="wechat",
               help="channels that the row is for; empty: all", help_chinese="适用渠道; 空: 全部"),
        Column(name="tiers", chinese="客户等级", holds=Holds.WORDS, example="vip",
               help="customer tiers; empty: all", help_chinese="客户等级; 空: 全部"),
        Column(name="provinces", chinese="省份", holds=Holds.WORDS, example="浙江, 江苏",
               help="provinces of the receiver; empty: all", help_chinese="收货省份; 空: 全部"),
        Column(name="skus", chinese="商品编码", holds=Holds.WORDS, example="SKU-001",
               help="one of these in the order is enough; empty: any", help_chinese="订单含其中之一即可; 空: 不限"),
        Column(name="order", chinese="顺序", holds=Holds.WORDS, example="single, nearest, cheapest",
               help="what decides, in this order: single (one warehouse if possible), nearest, priority, cheapest; "
                    "empty: single",
               help_chinese="依次按: single (尽量单仓), nearest (就近), priority (优先级), cheapest (费用最低); "
                            "空: single"),
        Column(name="split", chinese="可拆单", holds=Holds.FLAG, example="yes", shown=True,
               help="several warehouses may ship one order; empty: no", help_chinese="可由多仓发货; 空: 否"),
        Column(name="most_parcels", chinese="最多仓数", holds=Holds.COUNT, example="2", least=1, most=5,
               help="warehouses per order where it may be split; empty: 2", help_chinese="拆单时最多几仓; 空: 2"),
        Column(name="partial", chinese="可部分发货", holds=Holds.FLAG, example="no", shown=True,
               help="what is there leaves now, the rest waits for stock; empty: no, the whole order waits",
               help_chinese="有货部分先发, 其余等货; 空: 否, 整单等货"),
        Column(name="reroute", chinese="可改派", holds=Holds.FLAG, example="yes", shown=True,
               help="what a warehouse refuses or lacks is shipped from another one; empty: no, a person decides",
               help_chinese="仓库拒单或缺货时改由他仓发货; 空: 否, 由人处理"),
    ),
)  # fmt: skip

PLANS: Final[Mapping[Kind, tuple[SheetPlan, ...]]] = {
    Kind.PRICE: (PRODUCTS, TIERS, PRICES, OPTION_SHEET),
    Kind.PROMOTION: (PROMOTIONS, OPTION_SHEET),
    Kind.RISK: (RULES, OPTION_SHEET),
    Kind.SOURCING: (PLACES, STRATEGIES, OPTION_SHEET),
}

_GATE: Final = Column(
    name="gate", chinese="核对订单", holds=Holds.FLAG, help=f"whether incoming orders are compared: {_FLAG_HELP[0]}",
    help_chinese=f"是否核对进来的订单: {_FLAG_HELP[1]}", example="yes",
)  # fmt: skip

OPTIONS: Final[Mapping[Kind, tuple[Column, ...]]] = {
    Kind.PRICE: (
        _GATE,
        Column(name="tolerance", chinese="允许差额", holds=Holds.MONEY, example="0.01",
               help="how far a price per piece may be off, yuan", help_chinese="每件允许差多少元"),
        Column(name="tolerance_share", chinese="允许差额比例", holds=Holds.PART, example="1%",
               help="the same as a percentage; whichever is more counts",
               help_chinese="允许差百分之几; 与允许差额取大者"),
        Column(name="unpriced", chinese="无价商品", holds=Holds.CHOICE, example="accept",
               choices={"accept": "接受", "hold": "挂起"},
               help="accept or hold an order with a line that has no price",
               help_chinese="订单含无价商品时: 接受 或 挂起"),
        Column(name="precedence", chinese="优先顺序", holds=Holds.CHOICES, choices=PRICE_KINDS,
               example="contract, limited, tier", help="which kind wins where several rows hold, each once",
               help_chinese="多行命中时谁优先, 每类写一次"),
    ),
    Kind.PROMOTION: (
        _GATE,
        Column(name="tolerance", chinese="允许差额", holds=Holds.MONEY, example="0.01",
               help="how far an order's total may be off, yuan", help_chinese="每单允许差多少元"),
        Column(name="most", chinese="最多个数", holds=Holds.COUNT, example="3", most=10_000,
               help="promotions that one order may have at most; empty: any number",
               help_chinese="每单最多用几个促销; 空: 不限"),
        Column(name="choice", chinese="互斥时选", holds=Holds.CHOICE, example="priority",
               choices={Choice.PRIORITY.value: "按优先级", Choice.BEST.value: "对客户最优"},
               help="priority: the first in order; best: what costs the customer least",
               help_chinese="按优先级: 排在前的; 对客户最优: 客户付得最少的"),
    ),
    Kind.RISK: (
        Column(name="hold_from", chinese="暂停发货分数", holds=Holds.COUNT, example="80", most=1_000_000,
               help="from how many points on an order is not shipped; empty: never",
               help_chinese="累计多少分起暂停发货; 空: 从不"),
        Column(name="review_from", chinese="人工复核分数", holds=Holds.COUNT, example="120", most=1_000_000,
               help="from how many points on a person looks first; empty: never",
               help_chinese="累计多少分起人工复核; 空: 从不"),
    ),
    Kind.SOURCING: (
        Column(name="currency", chinese="币种", holds=Holds.CHOICE, example="CNY",
               choices=MappingProxyType(dict.fromkeys(sorted(MINOR_DIGITS), "")),
               help="currency of the costs, for the timeline", help_chinese="费用的币种, 用于时间线"),
    ),
}  # fmt: skip


def find_sheet(kind: Kind, title: str) -> SheetPlan | None:
    """The sheet of this title, in whatever language."""
    said = title.strip().casefold()
    return next((plan for plan in PLANS[kind] if said in (plan.name, plan.chinese, *plan.also)), None)


def find_option(kind: Kind, text: str) -> Column | None:
    """The option of this name, in whatever language."""
    return SheetPlan("options", "选项", OPTIONS[kind]).find(text)


def guess_kinds(titles: list[str]) -> list[Kind]:
    """Which kinds of books have a first or leading sheet among these."""
    leading = {Kind.PRICE: PRICES, Kind.PROMOTION: PROMOTIONS, Kind.RISK: RULES, Kind.SOURCING: PLACES}
    return [kind for kind, plan in leading.items() if any(find_sheet(kind, title) is plan for title in titles)]


def in_plan_order(kind: Kind, sheets: Mapping[str, Sequence[Mapping[str, str]]]) -> dict[str, list[dict[str, str]]]:
    """Sheets and columns as people write them: what stores them keeps no order. What no plan knows comes last."""
    found: dict[str, list[dict[str, str]]] = {}
    plans = {plan.name: [column.name for column in plan.columns] for plan in PLANS[kind]}
    for sheet in (*(name for name in plans if name in sheets), *(name for name in sheets if name not in plans)):
        columns = plans.get(sheet, [])
        found[sheet] = [
            {name: row[name] for name in (*(c for c in columns if c in row), *(c for c in row if c not in columns))}
            for row in sheets[sheet]
        ]
    return found
