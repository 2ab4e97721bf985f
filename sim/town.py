"""Everything put together: the world, its systems, the autopilot and the control room, as one web application."""

from dataclasses import dataclass

from aiohttp import web

from sim.autopilot import Autopilot
from sim.coming_back import ComingBack
from sim.config import Config
from sim.control import ControlRoom
from sim.life import Life, News
from sim.recorded import RecordedRoom
from sim.returns import ReturnRoom
from sim.steps import StepRoom
from sim.strangers.room import StrangersRoom
from sim.systems.dingtalk import DingtalkGate
from sim.systems.feishu import FeishuGate
from sim.systems.kdniao.gate import KdniaoGate
from sim.systems.kingdee.gate import KingdeeGate
from sim.systems.qimen.gate import QimenGate
from sim.systems.wechat.gate import WechatGate
from sim.systems.wechatpay.gate import WechatPayGate
from sim.systems.wecom import WecomGate
from sim.truth import Witness
from sim.world import World


@dataclass(frozen=True, slots=True)
class Town:
    world: World
    autopilot: Autopilot
    app: web.Application


def build_town(config: Config) -> Town:
    """Needs a running loop; `app` starts and stops the sending of webhooks with itself."""
    world = World(config)
    news = News(world)
    kingdee, courier = KingdeeGate(world), KdniaoGate(world, news.kdniao)
    shop = WechatGate(world, news.wechat)
    dingtalk, wecom, feishu = DingtalkGate(world), WecomGate(world), FeishuGate(world)
    robots = {"dingtalk": dingtalk.robot, "wecom": wecom.robot, "feishu": feishu.robot}
    life = Life(world, news, courier)
    autopilot, witness = Autopilot(world, life), Witness(world, kingdee.ledger)
    app = web.Application(client_max_size=4 * 1024 * 1024, middlewares=[world.traffic.count])
    for part in (
        kingdee,
        QimenGate(world, news.qimen),
        courier,
        shop,
        WechatPayGate(world, news.wechatpay),
        dingtalk,
        wecom,
        feishu,
        ControlRoom(world, life, autopilot, witness, robots, shop, ComingBack(world, life)),
        StepRoom(world, life, autopilot, witness),
        RecordedRoom(world, life, autopilot),
        StrangersRoom(),
        ReturnRoom(world, life),
    ):
        part.mount(app)
    town = Town(world, autopilot, app)
    app.on_startup.append(lambda _: start(town))
    app.on_cleanup.append(lambda _: stop(town))
    return town


async def start(town: Town) -> None:
    town.world.sender.start()


async def stop(town: Town) -> None:
    await town.autopilot.stop()
    town.world.agenda.stop()
    await town.world.sender.stop()
