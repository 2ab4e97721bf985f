"""Where strangers live, and with which numbers: the first seven digits of a Chinese mobile number name a city."""

from dataclasses import dataclass
from random import Random


@dataclass(frozen=True, slots=True)
class City:
    province: str  # as a shop writes it in an address
    city: str
    prefixes: tuple[str, ...]
    districts: tuple[str, ...]


CITIES = (
    City("浙江省", "宁波市", ("1380580", "1390574", "1385740"), ("海曙区", "鄞州区", "慈溪市")),
    City("浙江省", "杭州市", ("1380057", "1390065", "1350571"), ("余杭区", "西湖区", "萧山区")),
    City("江苏省", "苏州市", ("1380154", "1390062", "1350613"), ("吴中区", "昆山市")),
    City("江苏省", "南京市", ("1380025", "1390015", "1350514"), ("江宁区", "鼓楼区")),
    City("上海", "上海市", ("1380021", "1390013", "1350160"), ("青浦区", "浦东新区", "徐汇区")),
    City("北京", "北京市", ("1380000", "1390009", "1350100"), ("朝阳区", "海淀区")),
    City("广东省", "深圳市", ("1380220", "1390231", "1350004"), ("宝安区", "南山区")),
    City("广东省", "广州市", ("1380009", "1390007", "1350000"), ("天河区", "番禺区")),
    City("四川省", "成都市", ("1380028", "1390080", "1351810"), ("武侯区", "双流区")),
    City("湖北省", "武汉市", ("1380026", "1390071", "1350710"), ("洪山区", "武昌区")),
    City("山东省", "青岛市", ("1380532", "1390532", "1350532"), ("黄岛区", "市北区")),
    City("河南省", "郑州市", ("1380371", "1390371", "1350345"), ("金水区", "中原区")),
    City("湖南省", "长沙市", ("1380731", "1390731", "1350731"), ("岳麓区", "雨花区")),
    City("福建省", "厦门市", ("1380059", "1390060", "1351596"), ("思明区", "集美区")),
    City("陕西省", "西安市", ("1380029", "1390029", "1350918"), ("雁塔区", "未央区")),
    City("广西壮族自治区", "南宁市", ("1380771", "1390077", "1350771"), ("青秀区", "西乡塘区")),
    City("内蒙古自治区", "呼和浩特市", ("1380471", "1390004", "1350061"), ("新城区", "赛罕区")),
    City("重庆市", "重庆市", ("1380023", "1390082", "1350030"), ("渝北区", "沙坪坝区")),
)
WEIGHTS = (9, 9, 8, 6, 9, 8, 8, 7, 6, 5, 5, 4, 4, 4, 4, 2, 1, 4)

STREETS = ("人民路", "解放路", "建设路", "中山路", "学院路", "滨河大道", "和平街", "新华路", "环城东路", "文化路")
ESTATES = ("阳光花园", "锦绣家园", "金色港湾", "绿城小区", "幸福里", "江南春晓", "碧水湾", "东方名苑")
FIRMS = ("机电有限公司", "五金制品厂", "装饰工程公司", "设备安装公司", "建材商行", "汽车零部件厂")
SCHOOLS = ("理工大学", "师范大学", "职业技术学院", "财经大学")
POINTS = ("代收点", "快递代收点", "便利店代收点", "小区代收点", "超市(代收点)")
OTHER_POINTS = ("菜鸟驿站", "快递代收处", "自提点", "妈妈驿站", "代收 点")
"""Other words for the same thing: who looks for one word only does not see these."""
OTHER_WORD = 0.2


def draw_city(rng: Random) -> City:
    return rng.choices(CITIES, WEIGHTS)[0]


def draw_elsewhere(rng: Random, home: City) -> City:
    """A city of another province."""
    while (found := draw_city(rng)).province == home.province:
        pass
    return found


def draw_mobile(rng: Random, city: City) -> str:
    return f"{rng.choice(city.prefixes)}{rng.randrange(10_000):04d}"


def draw_home(rng: Random) -> str:
    street = f"{rng.choice(STREETS)}{rng.randint(1, 999)}号"
    return f"{street}{rng.choice(ESTATES)}{rng.randint(1, 30)}栋{rng.randint(101, 2904)}室"


def draw_firm(rng: Random) -> str:
    street = f"工业园区{rng.choice(STREETS)}{rng.randint(1, 400)}号"
    return f"{street}{rng.choice('华盛远宏鑫泰')}{rng.choice('达业丰源')}{rng.choice(FIRMS)}"


def draw_school(rng: Random) -> str:
    return f"{rng.choice(STREETS)}{rng.randint(1, 300)}号{rng.choice(SCHOOLS)}{rng.randint(1, 24)}号宿舍楼"


def draw_point(rng: Random) -> str:
    """A pick-up point: a shop or a counter where parcels wait for whoever knows the code."""
    word = rng.choice(OTHER_POINTS if rng.random() < OTHER_WORD else POINTS)
    return f"{rng.choice(STREETS)}{rng.randint(1, 999)}号{rng.choice(ESTATES)}{word}"
