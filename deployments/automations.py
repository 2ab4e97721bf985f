"""Automations of the Prefect server: they tell our web process what went wrong with the runs themselves.

A run that fails, or a worker that is gone, cannot tell anybody: the server sees it and calls `/hooks/prefect`, so it
works while no worker is alive. The notification block with the address and the key is deployed with them.
"""

from collections.abc import Mapping, Sequence
from datetime import timedelta
from typing import Any, Final
from uuid import UUID

import httpx
from prefect.blocks.notifications import CustomWebhookNotificationBlock
from prefect.client.orchestration import PrefectClient
from prefect.events.actions import SendNotification
from prefect.events.schemas.automations import Automation, AutomationCore, EventTrigger
from prefect.types import SecretDict

BLOCK: Final = "ballast-web"
"""Name of the block document; its type is Prefect's Custom Webhook."""

POOL: Final = "ballast"
TWICE_WITHIN: Final = timedelta(minutes=10)
FAILED: Final = frozenset({"prefect.flow-run.Failed", "prefect.flow-run.Crashed", "prefect.flow-run.TimedOut"})

_OF_THE_POOL: Final = {"prefect.resource.id": "prefect.work-pool.*", "prefect.resource.name": POOL}
_POOL_BODY: Final = '{"pool": {{ event.resource.name|default("", true)|tojson }}}'
_ORDER_BODY: Final = (
    '{"event": {{ event.event|tojson }}, "id": {{ event.id|string|tojson }}, '
    '"resource": {{ event.resource.id|tojson }}}'
)
_RUN_BODY: Final = (
    '{"flow": {{ event.resource_in_role["flow"].name|default("", true)|tojson }}, '
    '"run": {{ event.resource.name|default("", true)|tojson }}, '
    '"state": {{ event.resource["prefect.state-name"]|default("", true)|tojson }}, '
    '"message": {{ event.resource["prefect.state-message"]|default("", true)|truncate(500)|tojson }}, '
    '"link": {{ flow_run|ui_url|default("", true)|tojson }}}'
)


def _tag(*names: str) -> dict[str, Any]:
    return {"prefect.resource.id": [f"prefect.tag.{name}" for name in names], "prefect.resource.role": "tag"}


TRIGGERS: Final[Mapping[str, tuple[str, str, EventTrigger, str]]] = {
    "sla-red": (
        "Ballast: SLA red",
        "An order passed a red threshold: whatever is due to be told goes out at once. SLA 红色超时，立即发出告警",
        EventTrigger(expect={"ballast.sla.red"}),
        _ORDER_BODY,
    ),
    "sla-yellow": (
        "Ballast: SLA yellow",
        "An order passed a yellow threshold: whatever is due to be told goes out at once. SLA 黄色预警，立即发出提醒",
        EventTrigger(expect={"ballast.sla.yellow"}),
        _ORDER_BODY,
    ),
    "step-failed": (
        "Ballast: step failed twice",
        "A step or duty failed twice within ten minutes: raise an alert. 同一步骤十分钟内失败两次，发出告警",
        EventTrigger(
            expect=set(FAILED),
            match={"prefect.resource.id": "prefect.flow-run.*"},
            match_related=[_tag("ballast"), _tag("step", "duty")],  # each of the list has to be met
            for_each={"related:flow:prefect.resource.id"},
            threshold=2,
            within=TWICE_WITHIN,
        ),
        _RUN_BODY,
    ),
    "worker-gone": (
        "Ballast: worker gone",
        "No worker of the pool has given a sign of life for a while: raise an alert. 工作进程失联，发出告警",
        EventTrigger(expect={"prefect.work-pool.not-ready"}, match=_OF_THE_POOL),
        _POOL_BODY,
    ),
    "worker-back": (
        "Ballast: worker back",
        "A worker of the pool is there again: the alert about it ends by itself. 工作进程恢复，告警自动结束",
        EventTrigger(expect={"prefect.work-pool.ready"}, match=_OF_THE_POOL),
        _POOL_BODY,
    ),
}
"""What our door is told (`web/hooks/control.py`) -> name, description, trigger, and the JSON that it gets."""


async def apply_automations(client: PrefectClient, url: str, key: str) -> list[str]:
    """Create or update block and automations; their names. What a person switched off in the UI stays off.

    They call `url`, as the Prefect server reaches it, and show `key` there.
    """
    block_id = await _apply_block(client, url, key)
    found = await _of_ours(client)
    return [await _apply_one(client, kind, block_id, found) for kind in TRIGGERS]


async def _apply_block(client: PrefectClient, url: str, key: str) -> UUID:
    block = CustomWebhookNotificationBlock(
        name="Ballast",
        url=url,
        json_data={"automation": "{{subject}}", "about": "{{body}}"},
        headers={"x-ballast-key": "{{key}}"},
        secrets=SecretDict({"key": key}),
        timeout=10,
    )
    block_id = await block.asave(BLOCK, overwrite=True, client=client)
    assert isinstance(block_id, UUID)
    return block_id


async def _of_ours(client: PrefectClient) -> list[Automation]:
    """The client's own method asks with nulls, which this server refuses."""
    names = [name for name, *_ in TRIGGERS.values()]
    body = {"automations": {"name": {"any_": names}}, "sort": "CREATED_DESC"}
    answer = await client.request("POST", "/automations/filter", json=body)
    return [Automation.model_validate(one) for one in answer.json()]


async def _apply_one(client: PrefectClient, kind: str, block_id: UUID, found: Sequence[Automation]) -> str:
    name, description, trigger, body = TRIGGERS[kind]
    action = SendNotification(block_document_id=block_id, subject=kind, body=body)
    wanted = AutomationCore(name=name, description=description, trigger=trigger, actions=[action])
    same_name = [one for one in found if one.name == name]
    for twin in same_name[1:]:
        await client.delete_automation(twin.id)  # two that were applied at the same moment would ring twice
    if not same_name:
        await client.create_automation(wanted)
    elif _shape(same_name[0]) != _shape(wanted):  # an update forgets the failures that were counted so far
        wanted.enabled = same_name[0].enabled
        await client.request(
            "PUT", "/automations/{id}", path_params={"id": same_name[0].id}, json=wanted.model_dump(mode="json")
        )
    return name


def _shape(automation: AutomationCore) -> dict[str, Any]:
    """What two automations have to agree in to be the same; ids are the server's matter."""
    trigger = automation.trigger
    assert isinstance(trigger, EventTrigger)
    kept = trigger.model_dump(mode="json", exclude={"id", "type", "expect", "for_each", "after"})
    return {
        **kept,
        "expect": sorted(trigger.expect),
        "for_each": sorted(trigger.for_each),
        "after": sorted(trigger.after),
        "name": automation.name,
        "description": automation.description,
        "actions": [action.model_dump(mode="json") for action in automation.actions],
    }


async def what_is_missing(http: httpx.AsyncClient, api: str) -> list[str]:
    """A sentence for everything that is not on the server at `api` as it should be. Raises `httpx.HTTPError`."""
    names = [name for name, *_ in TRIGGERS.values()]
    block = await http.get(f"{api}/block_types/slug/custom-webhook/block_documents/name/{BLOCK}")
    asked = {"automations": {"name": {"any_": names}}}
    found = (await http.post(f"{api}/automations/filter", json=asked)).raise_for_status().json()
    on = {one["name"]: one["enabled"] for one in found}
    missing = [f"no automation «{name}»" for name in names if name not in on]
    missing += [f"«{name}» is switched off" for name in names if on.get(name) is False]
    if block.status_code == httpx.codes.NOT_FOUND:
        return [f"no block {BLOCK}", *missing]
    block.raise_for_status()
    return missing
