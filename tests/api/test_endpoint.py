from __future__ import annotations

from pairscope.api.routes import ENDPOINTS


def test_no_two_parameters_of_an_endpoint_share_a_name() -> None:
    for endpoint in ENDPOINTS:
        names = [name for one in endpoint.parameters for name in (one.name, *one.aliases)]
        assert len(names) == len(set(names))
