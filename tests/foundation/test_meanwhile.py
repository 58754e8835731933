"""Loops beside a block: they end with it, and harm nobody when they fail."""

import asyncio
import contextlib
import gc
import warnings

import pytest

from polyclinic.foundation.work import meanwhile


async def test_loops_run_beside_the_block_and_have_ended_after_it():
    seen = []

    async def loop(name):
        try:
            while True:
                seen.append(name)
                await asyncio.sleep(0)
        finally:
            await asyncio.sleep(0.01)  # whatever has to be put in order takes time too
            seen.append(f"{name} ended")

    async with meanwhile(loop("a"), loop("b")):
        await asyncio.sleep(0.05)
    assert seen[-2:] == ["a ended", "b ended"]
    assert seen.count("a") > 1
    assert seen.count("b") > 1


async def test_a_loop_that_keeps_a_cancellation_to_itself_ends_all_the_same():
    kept = []

    async def deaf():
        while not kept:
            try:
                await asyncio.sleep(60)
            except asyncio.CancelledError:
                kept.append("once")
        await asyncio.sleep(60)

    async with asyncio.timeout(10), meanwhile(deaf()):
        await asyncio.sleep(0.01)
    assert kept == ["once"]


async def test_a_loop_that_fails_goes_to_the_log_and_leaves_the_others_running(caplog):
    seen = []

    async def broken():
        raise RuntimeError("Maria Lopez")

    async def sound():
        while True:
            seen.append(1)
            await asyncio.sleep(0)

    async with meanwhile(broken(), sound()):
        await asyncio.sleep(0.01)
        before = len(seen)
        await asyncio.sleep(0.01)
        assert len(seen) > before
    assert "a loop ended" in caplog.text
    assert "Maria" not in caplog.text


async def test_a_loop_that_is_ended_before_its_first_step_leaves_no_warning():
    """A start that was refused at once had one, beside its sentence."""

    async def loop():
        await asyncio.sleep(60)

    with warnings.catch_warnings(record=True) as warned:
        warnings.simplefilter("always")
        with pytest.raises(LookupError):
            async with meanwhile(loop()):
                raise LookupError
        gc.collect()
    assert warned == []


async def test_what_the_block_raises_leaves_after_the_loops_have_ended():
    ended = []

    async def loop():
        with contextlib.suppress(asyncio.CancelledError):
            await asyncio.sleep(60)
        ended.append(1)

    async def block():
        async with meanwhile(loop()):
            await asyncio.sleep(0)
            raise LookupError

    with pytest.raises(LookupError):
        await block()
    assert ended == [1]
