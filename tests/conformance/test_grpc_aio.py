"""An unmodified gRPC client with asyncio against the served models."""
import asyncio

import numpy as np
import pytest
import tritonclient.grpc.aio as client
from tritonclient.utils import InferenceServerException


def run(server, work):
    """Runs work(client), a coroutine function, to its end."""
    async def main():
        async with client.InferenceServerClient(server.grpc) as opened:
            return await work(opened)

    return asyncio.run(main())


def make_input(name, array, datatype):
    tensor = client.InferInput(name, list(array.shape), datatype)
    tensor.set_data_from_numpy(array)
    return tensor


def test_control(server):
    async def work(opened):
        assert await opened.is_server_live()
        assert await opened.is_server_ready()
        assert await opened.is_model_ready("simple")
        assert (await opened.get_model_metadata("simple")).name == "simple"
        assert (await opened.get_model_config("simple")).config.max_batch_size == 8
        assert (await opened.get_inference_statistics("simple")).model_stats[0].name == "simple"
        assert (await opened.get_model_repository_index()).models

    run(server, work)


def test_many_at_once(server):
    async def work(opened):
        async def one(value):
            a = np.full((1, 16), value, np.int32)
            b = np.arange(16, dtype=np.int32).reshape(1, 16)
            result = await opened.infer(
                "simple", [make_input("INPUT0", a, "INT32"), make_input("INPUT1", b, "INT32")],
                request_id=str(value))
            np.testing.assert_array_equal(result.as_numpy("OUTPUT0"), a + b)
            assert result.get_response().id == str(value)

        await asyncio.gather(*(one(value) for value in range(300)))

    run(server, work)


def test_large_tensor(server):
    values = np.arange(12 << 18, dtype=np.float32).reshape(1, -1)

    async def work(opened):
        result = await opened.infer("identity_fp32", [make_input("INPUT0", values, "FP32")])
        assert result.as_numpy("OUTPUT0").tobytes() == values.tobytes()

    run(server, work)


def test_errors(server):
    async def work(opened):
        with pytest.raises(InferenceServerException) as raised:
            await opened.infer("none", [make_input("INPUT0", np.zeros((1, 1), np.float32), "FP32")])
        assert raised.value.status() == "StatusCode.NOT_FOUND"
        assert raised.value.message() == "Request for unknown model: 'none' is not found"

    run(server, work)


def test_cancel(server):
    async def work(opened):
        values = make_input("INPUT0", np.zeros((1, 4), np.float32), "FP32")
        task = asyncio.ensure_future(opened.infer("identity_fp32", [values]))
        await asyncio.sleep(0)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        # The connection goes on.
        await opened.infer("identity_fp32", [values])

    run(server, work)
