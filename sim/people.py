"""Customers and receivers, all made up."""

from dataclasses import dataclass
from functools import lru_cache
from random import Random

from sim.chance import digits, seeded

SURNAMES = "王李张刘陈杨赵黄周吴徐孙胡朱高林何郭马罗"
GIVEN = [*"伟芳娜敏静强磊洋艳勇军杰娟涛明超", "秀英", "建国", "志强", "晓燕"]
PLACES = [
    ("浙江省", "宁波市", "海曙区"),
    ("浙江省", "杭州市", "余杭区"),
    ("江苏省", "苏州市", "吴中区"),
    ("上海", "上海市", "青浦区"),
    ("北京", "北京市", "朝阳区"),
    ("广东省", "深圳市", "宝安区"),
    ("广东省", "东莞市", "长安镇"),
    ("四川省", "成都市", "武侯区"),
    ("湖北省", "武汉市", "洪山区"),
    ("山东省", "青岛市", "黄岛区"),
]
STREETS = ["人民路", "解放路", "建设路", "中山路", "工业园区一路", "五金城东街", "学院路", "滨河大道"]


@dataclass(frozen=True, slots=True)
class Customer:
    no: str
    name: str
    openid: str
    tier: str = ""  # the seller's own word for who this is


@dataclass(frozen=True, slots=True)
class Receiver:
    name: str
    mobile: str
    province: str
    city: str
    district: str
    address: str


def draw_name(rng: Random) -> str:
    return f"{rng.choice(SURNAMES)}{rng.choice(GIVEN)}"


@lru_cache(maxsize=4096)
def find_customer(seed: int, number: int) -> Customer:
    """Returning buyers keep their name and openid."""
    name = draw_name(seeded(f"{seed}/customer/{number}"))
    return Customer(f"C{number:06d}", name, f"oSim{digits(24, seed, 'openid', number)}")


def draw_receiver(rng: Random) -> Receiver:
    province, city, district = rng.choice(PLACES)
    address = f"{rng.choice(STREETS)}{rng.randint(1, 999)}号"
    return Receiver(draw_name(rng), f"1{rng.randint(3_000_000_000, 9_999_999_999)}", province, city, district, address)
