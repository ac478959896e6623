"""An unmodified HTTP client, asynchronous, against the served models."""
import asyncio

import numpy as np
import pytest
import tritonclient.http.aio as client
from tritonclient.http import InferInput, InferRequestedOutput
from tritonclient.utils import InferenceServerException


def simple_inputs(value, binary=True):
    tensors = []
    for name in ("INPUT0", "INPUT1"):
        tensors.append(InferInput(name, [1, 16], "INT32"))
        tensors[-1].set_data_from_numpy(np.full((1, 16), value, np.int32), binary_data=binary)
    return tensors


def with_client(server, scenario):
    """Runs the coroutine function with a client of the server."""
    async def run():
        async with client.InferenceServerClient(server.http, conn_limit=32) as opened:
            await scenario(opened)

    asyncio.run(run())


def test_control_calls(server):
    async def scenario(opened):
        assert await opened.is_server_live()
        assert await opened.is_server_ready()
        assert await opened.is_model_ready("simple", "1")
        assert not await opened.is_model_ready("none")
        assert (await opened.get_server_metadata())["name"] == "triton"
        assert (await opened.get_model_metadata("simple"))["versions"] == ["1"]
        assert (await opened.get_model_config("simple"))["max_batch_size"] == 8
        assert len(await opened.get_model_repository_index()) >= 8
        statistics = await opened.get_inference_statistics("simple")
        assert statistics["model_stats"][0]["name"] == "simple"
        assert (await opened.get_log_settings())["log_format"] in ("default", "ISO8601")

    with_client(server, scenario)


@pytest.mark.parametrize("binary", [True, False])
def test_concurrent_requests_are_not_mixed_up(server, binary):
    async def scenario(opened):
        async def one(i):
            outputs = [InferRequestedOutput("OUTPUT0", binary_data=binary)]
            result = await opened.infer("simple", simple_inputs(i, binary), outputs=outputs,
                                        request_id=str(i))
            assert result.get_response()["id"] == str(i)
            assert (result.as_numpy("OUTPUT0") == 2 * i).all()

        await asyncio.gather(*(one(i) for i in range(300)))

    with_client(server, scenario)


@pytest.mark.parametrize("algorithm", ["gzip", "deflate"])
def test_compression(server, algorithm):
    async def scenario(opened):
        result = await opened.infer("simple", simple_inputs(4), request_compression_algorithm=algorithm,
                                    response_compression_algorithm=algorithm)
        assert (result.as_numpy("OUTPUT0") == 8).all()

    with_client(server, scenario)


def test_errors(server):
    async def scenario(opened):
        with pytest.raises(InferenceServerException) as raised:
            await opened.infer("none", simple_inputs(1))
        assert raised.value.status() == "404"
        assert raised.value.message() == "Request for unknown model: 'none' is not found"

    with_client(server, scenario)


def test_cancelled_calls_leave_the_server_usable(server):
    async def scenario(opened):
        calls = [asyncio.ensure_future(opened.infer("simple", simple_inputs(1))) for _ in range(50)]
        await asyncio.sleep(0)
        for call in calls[::2]:
            call.cancel()
        results = await asyncio.gather(*calls, return_exceptions=True)
        assert all((result.as_numpy("OUTPUT0") == 2).all() for result in results[1::2])
        assert await opened.is_server_live()

    with_client(server, scenario)
