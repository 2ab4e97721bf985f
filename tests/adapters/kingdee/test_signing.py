"""The sheet's vector, and what a wrong app id does."""

import pytest
from pydantic import SecretStr

from adapters.erp.kingdee.client import Kingdee
from adapters.erp.kingdee.signing import sign_request, split_app_id
from ballast.clock import Clock
from ballast.settings import KingdeeSettings, SettingsError

SETTINGS = KingdeeSettings(
    server_url="http://k3.example.com/K3Cloud",
    acct_id="65a0000000000a",
    user_name="integration",
    app_id="200001_QWJjRGVmR2hpSmtsTW5vUHFyc1R1dld4",
    app_secret=SecretStr("0123456789abcdef0123456789abcdef"),
    org_num="0",
)
SAVE = "http://k3.example.com/K3Cloud/Kingdee.BOS.WebApi.ServicesStub.DynamicFormService.Save.common.kdsvc"


def test_the_vector_of_the_sheet() -> None:
    assert sign_request(SETTINGS, SAVE, at=1767319200, nonce="1767319200") == {
        "X-Api-ClientID": "200001",
        "X-Api-Auth-Version": "2.0",
        "x-api-timestamp": "1767319200",
        "x-api-nonce": "1767319200",
        "x-api-signheaders": "x-api-timestamp,x-api-nonce",
        "X-Api-Signature": ("YWE5NDM5N2YxNWZhYmQ0YWNkMGU3ODEwN2NlNzE1Mzc3OGNjY2JkNDY1ZDQxNzcyYjQzMTI2N2I0ZmM1NDJhYw=="),
        "X-Kd-Appkey": "200001_QWJjRGVmR2hpSmtsTW5vUHFyc1R1dld4",
        "X-Kd-Appdata": "NjVhMDAwMDAwMDAwMGEsaW50ZWdyYXRpb24sMjA1Miww",
        "X-Kd-Signature": ("NDk3MDZjOGZjZTE0MzM3MGNhZTI3YWI4YmRlNTczMjBhZjIwMDkyNTRmN2E0ZWQ1MTBkZDMyYWQxOWQ1ZjZmYQ=="),
    }


def test_the_client_secret_hides_in_the_app_id() -> None:
    assert split_app_id(SETTINGS.app_id) == ("200001", "cVJWcANVfl8KfFlfeV1YaBNCSjcUQTNL")


@pytest.mark.parametrize("app_id", ["", "200001", "200001_short", "200001_" + "!" * 32])
def test_a_malformed_app_id_refuses_to_start(app_id: str) -> None:
    with pytest.raises(SettingsError, match="BALLAST_KINGDEE__APP_ID"):
        Kingdee(SETTINGS.model_copy(update={"app_id": app_id}), Clock())


def test_a_missing_secret_refuses_to_start() -> None:
    with pytest.raises(SettingsError, match="BALLAST_KINGDEE__APP_SECRET"):
        Kingdee(SETTINGS.model_copy(update={"app_secret": SecretStr(" ")}), Clock())
