"""The published vectors against what the simulator verifies and signs with."""

from pathlib import Path

from sim.config import KingdeeKeys
from sim.systems import dingtalk, feishu
from sim.systems.kdniao import signature as kdniao
from sim.systems.kingdee.signature import Credentials, derive_client_secret, is_recent, text_to_sign
from sim.systems.qimen import signature as qimen
from sim.systems.wechat import envelope
from sim.systems.wechatpay import signature as wechatpay
from tests.sim.settings import APIV3_KEY, DINGTALK, FEISHU, KDNIAO, QIMEN, WECHAT

VECTORS = Path(__file__).parent / "vectors"
KINGDEE_PATH = "/K3Cloud/Kingdee.BOS.WebApi.ServicesStub.DynamicFormService.Save.common.kdsvc"
KINGDEE_KEYS = KingdeeKeys(
    acct_id="65a0000000000a",
    user_name="integration",
    app_id="200001_QWJjRGVmR2hpSmtsTW5vUHFyc1R1dld4",
    app_secret="0123456789abcdef0123456789abcdef",
)
KINGDEE_HEADERS = {
    "X-Api-ClientID": "200001",
    "X-Api-Auth-Version": "2.0",
    "x-api-timestamp": "1767319200",
    "x-api-nonce": "1767319200",
    "x-api-signheaders": "x-api-timestamp,x-api-nonce",
    "X-Api-Signature": "YWE5NDM5N2YxNWZhYmQ0YWNkMGU3ODEwN2NlNzE1Mzc3OGNjY2JkNDY1ZDQxNzcyYjQzMTI2N2I0ZmM1NDJhYw==",
    "X-Kd-Appkey": "200001_QWJjRGVmR2hpSmtsTW5vUHFyc1R1dld4",
    "X-Kd-Appdata": "NjVhMDAwMDAwMDAwMGEsaW50ZWdyYXRpb24sMjA1Miww",
    "X-Kd-Signature": "NDk3MDZjOGZjZTE0MzM3MGNhZTI3YWI4YmRlNTczMjBhZjIwMDkyNTRmN2E0ZWQ1MTBkZDMyYWQxOWQ1ZjZmYQ==",
}
QIMEN_PARAMS = {
    "method": "taobao.qimen.inventory.query",
    "timestamp": "2026-01-02 10:00:00",
    "format": "xml",
    "app_key": "23000001",
    "v": "2.0",
    "sign_method": "md5",
    "customerId": "c1600000000000",
}
QIMEN_QUERY = (
    '<?xml version="1.0" encoding="utf-8"?><request><criteriaList><criteria><warehouseCode>WH01</warehouseCode>'
    "<ownerCode>OWNER1</ownerCode><itemCode>SKU-001</itemCode><itemId>WMS-SKU-001</itemId>"
    "<inventoryType>ZP</inventoryType></criteria></criteriaList></request>"
)
QIMEN_REPORT = (
    '<?xml version="1.0" encoding="utf-8"?><request><order><orderCode>SO20260102001</orderCode>'
    "<orderType>JYCK</orderType><warehouseCode>WH01</warehouseCode></order><process>"
    "<processStatus>PACKAGE</processStatus><operatorName>张三</operatorName>"
    "<operateTime>2026-01-02 09:30:00</operateTime></process></request>"
)


def lines_of(name: str) -> list[str]:
    return (VECTORS / name).read_text().splitlines()


def test_kingdee_accepts_the_vector_and_nothing_else() -> None:
    credentials = Credentials.prepare(KINGDEE_KEYS)
    assert derive_client_secret(KINGDEE_KEYS.app_id) == b"cVJWcANVfl8KfFlfeV1YaBNCSjcUQTNL"
    assert credentials.find_fault(KINGDEE_HEADERS, KINGDEE_PATH, 1767319200) is None
    assert credentials.find_fault(KINGDEE_HEADERS, KINGDEE_PATH, 1767319200 + 901) == "x-api-timestamp"
    assert credentials.find_fault(KINGDEE_HEADERS, KINGDEE_PATH.lower(), 1767319200) == "X-Api-Signature"
    for name in KINGDEE_HEADERS:
        assert credentials.find_fault({**KINGDEE_HEADERS, name: "x"}, KINGDEE_PATH, 1767319200) is not None


def test_kingdee_string_to_sign() -> None:
    wanted = (
        "POST\n%2FK3Cloud%2FKingdee.BOS.WebApi.ServicesStub.DynamicFormService.Save.common.kdsvc\n\n"
        "x-api-nonce:1767319200\nx-api-timestamp:1767319200\n"
    )
    assert text_to_sign(KINGDEE_PATH, "1767319200", "1767319200") == wanted
    assert is_recent("1767319200123", 1767319200)


def test_qimen_vectors() -> None:
    assert qimen.sign(QIMEN_PARAMS, QIMEN_QUERY, QIMEN["secret"]) == "F14062F65176A858FBC91D801A4FFF29"
    report = {**QIMEN_PARAMS, "method": "orderprocess.report", "empty": "", "sign": "not part of it"}
    assert qimen.sign(report, QIMEN_REPORT, QIMEN["secret"]) == "2B0059F2D731B14E72CADB9487F3E136"


def test_kdniao_vectors() -> None:
    published = "{'OrderCode':'','ShipperCode':'SF','LogisticCode':'118954907573'}"
    wanted = "OWFhM2I5N2ViM2U2MGRkMjc4YzU2NmVlZWI3ZDk0MmE="
    assert kdniao.sign(published, "56da2cf8-c8a2-44b2-b6fa-476cd7d1ba17") == wanted
    chinese = '{"ShipperCode":"YTO","LogisticCode":"YT0000000000001","Receiver":{"Name":"张三"}}'
    assert kdniao.sign(chinese, KDNIAO["api_key"]) == "MWU0NzM0NGViODhjZjJlMWQxY2JhMWFlNTdiZWJjZWU="
    signature, push = lines_of("kdniao_push.txt")
    assert kdniao.sign(push, KDNIAO["api_key"]) == signature


def test_wechat_envelope_vector() -> None:
    """The published msg_signature covers the encrypted text, so it proves the encryption as well."""
    message = lines_of("wechat_message.txt")[0].encode()
    key, app_id = str(WECHAT["encoding_aes_key"]), str(WECHAT["app_id"])
    encrypted = envelope.encrypt(message, key, app_id, b"0123456789abcdef")
    parts = ("testtoken", "1767319200", "nonce123")
    assert envelope.sign(*parts) == "d2d0c6b42ed464940dae931d450e5411018e5736"
    assert envelope.sign(*parts, encrypted) == "91c6b3327ae070e65705fd51a9e425345aa4c2e2"


def test_wechatpay_notice_vector() -> None:
    body = (VECTORS / "wechatpay_notice.json").read_bytes()
    key = wechatpay.load_public_key((VECTORS / "wechatpay_public_key.pem").read_text())
    signature, plain = lines_of("wechatpay_notice.txt")
    message = wechatpay.notice_message("1767315361", "5K8264ILTKCH16CQ2502SI8ZNMTM67VS", body)
    assert wechatpay.verifies(key, message, signature)
    assert not wechatpay.verifies(key, message + b" ", signature)
    cipher = wechatpay.encrypt_resource(APIV3_KEY, "fdasflkja484", "transaction", plain.encode())
    assert cipher in body.decode()


def test_feishu_vector() -> None:
    """The joined string is the key, and the message is empty."""
    assert feishu.sign("1767319200", FEISHU["secret"]) == "bzczK/6FtzxkOIPu8mNSiDEd1KmTV0XKHuFwV1G5rUQ="


def test_dingtalk_vectors() -> None:
    assert dingtalk.sign("1767319200000", DINGTALK["secret"]) == "TchfOVRSYsXRsfp6BQDkp6Evp7Xdf9pNf45L0w0EZ7Q="
    assert dingtalk.sign("1767319200009", DINGTALK["secret"]) == "bONs642dheoYJ+5PuiBYV/cQ+PrTPwDF1Uh+D7f5614="
