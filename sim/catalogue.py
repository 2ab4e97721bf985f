"""What the seller sells: 60 articles of a fastener and tool trader, two warehouses, one ERP organisation."""

from dataclasses import dataclass

ERP_ORG = "100"
STOCK_OF_WAREHOUSE = {"WH01": "CK001", "WH02": "CK002"}
WAREHOUSE_OF_STOCK = {stock: warehouse for warehouse, stock in STOCK_OF_WAREHOUSE.items()}
DEFAULT_STOCK = "CK001"
DEFAULT_LEVEL = 1_000_000
SCARCE_LEVEL = 5
SCARCE_COUNT = 3

# name, price in 分 of the smallest of three sizes
RANGES = [
    ("六角螺栓", 560, ("M6", "M8", "M10")),
    ("内六角螺钉", 480, ("M4", "M5", "M6")),
    ("自攻螺钉", 320, ("3.5x16", "3.5x25", "4.2x32")),
    ("钻尾螺钉", 620, ("4.2x19", "4.8x25", "5.5x38")),
    ("膨胀螺栓", 890, ("M8x80", "M10x100", "M12x120")),
    ("六角螺母", 260, ("M6", "M8", "M10")),
    ("防松螺母", 350, ("M6", "M8", "M10")),
    ("平垫圈", 180, ("M6", "M8", "M10")),
    ("弹簧垫圈", 190, ("M6", "M8", "M10")),
    ("抽芯铆钉", 730, ("3.2x8", "4x10", "4.8x12")),
    ("尼龙扎带", 990, ("150mm", "200mm", "300mm")),
    ("钢丝绳卡头", 450, ("M6", "M8", "M10")),
    ("十字螺丝刀", 1590, ("PH1", "PH2", "PH3")),
    ("活动扳手", 3280, ("6寸", "8寸", "10寸")),
    ("内六角扳手套装", 4590, ("7件", "9件", "13件")),
    ("羊角锤", 3990, ("0.25kg", "0.5kg", "0.75kg")),
    ("钢丝钳", 2980, ("6寸", "7寸", "8寸")),
    ("麻花钻头", 690, ("4mm", "6mm", "8mm")),
    ("卷尺", 1290, ("3m", "5m", "7.5m")),
    ("切割片", 880, ("100mm", "125mm", "150mm")),
]


@dataclass(frozen=True, slots=True)
class Article:
    sku: str
    name: str
    price: int

    @property
    def wms_item_id(self) -> str:
        return f"WMS-{self.sku}"


def list_articles() -> tuple[Article, ...]:
    """Three sizes of everything, each a third dearer than the one before."""
    sized = [
        (f"{name} {size}", int(price * (1 + 0.35 * step)))
        for name, price, sizes in RANGES
        for step, size in enumerate(sizes)
    ]
    return tuple(Article(f"SKU-{n:03d}", name, price) for n, (name, price) in enumerate(sized, 1))


ARTICLES = list_articles()
ARTICLE = {article.sku: article for article in ARTICLES}


def one_place_skus(seed: int) -> dict[str, str]:
    """SKU -> the only warehouse that has it, in a world that spreads its stock: one article in five."""
    scarce = scarce_skus(seed)
    skus = [article.sku for n, article in enumerate(ARTICLES) if n % 5 == seed % 5 and article.sku not in scarce]
    return {sku: list(STOCK_OF_WAREHOUSE)[n % len(STOCK_OF_WAREHOUSE)] for n, sku in enumerate(skus)}


def scarce_skus(seed: int) -> tuple[str, ...]:
    """The articles with too little stock in this world; only orders scripted to run short buy them."""
    return tuple(ARTICLES[(seed * 7 + step * 19) % len(ARTICLES)].sku for step in range(SCARCE_COUNT))
