from __future__ import annotations

import pytest

import rreplay as rr
from conftest import COUNT, ECHO, START, STOP, Make, image


def test_power_on_state(make: Make) -> None:
    machine = make(COUNT)
    assert machine.icount == 0
    assert machine.mode is rr.ReplayMode.NONE
    assert machine.registers["pc"] == machine.cpu.pc
    assert machine.board.name == "py65mon"


def test_step_counts_instructions_and_cycles(make: Make) -> None:
    machine = make(COUNT)
    machine.step()
    before = machine.cycles
    stop = machine.step()
    assert stop.reason == "budget"
    assert machine.icount == stop.icount == 2
    assert machine.cycles - before == 3  # a taken branch within the page
    assert machine.time == pytest.approx(machine.cycles / machine.board.clock_hz)


def test_run_ends_at_whichever_comes_first(make: Make) -> None:
    machine = make(COUNT)
    assert machine.run(instructions=100, cycles=10**9).icount == 100
    stop = machine.run(instructions=10**9, cycles=1000)
    assert stop.reason == "budget"
    assert 1000 <= stop.cycles - 250 < 1400
    stop = machine.run(pc=START + 3)
    assert (stop.reason, stop.pc) == ("pc", START + 3)
    before = machine.time
    machine.run(seconds=0.01)
    assert machine.time - before == pytest.approx(0.01, abs=1e-5)


def test_stp_halts(make: Make) -> None:
    machine = make(STOP)
    assert machine.run(instructions=1000).reason == "halted"


def test_output_ends_a_run(make: Make) -> None:
    machine = make(ECHO)
    machine.console.send(b"abcabc")
    assert machine.run(output=b"bc").reason == "output"
    assert machine.console.output == b"abc"
    assert machine.run(output=b"bc", seconds=1.0).reason == "output"
    assert machine.console.output == b"abcabc"
    assert machine.run(output=b"bc", seconds=0.1).reason == "budget"


def test_registers_are_settable(make: Make) -> None:
    machine = make(COUNT)
    machine.step()
    for name in ("a", "x", "y", "sp"):
        setattr(machine.cpu, name, 0x5A)
        assert machine.registers[name] == getattr(machine.cpu, name) == 0x5A
    machine.cpu.pc = 0x1234
    assert machine.cpu.pc == 0x1234
    assert "pc=1234" in repr(machine.cpu)


@pytest.mark.parametrize(("name", "value"), [("a", 256), ("pc", 0x10000), ("sp", 1000)])
def test_registers_have_a_width(make: Make, name: str, value: int) -> None:
    with pytest.raises(rr.ArgumentError):
        setattr(make(COUNT).cpu, name, value)


def test_memory_is_subscripted(make: Make) -> None:
    machine = make(COUNT)
    assert len(machine.memory) == 0x10000
    assert machine.memory[START] == COUNT[0]
    assert machine.memory[START : START + len(COUNT)] == COUNT
    machine.memory[0x200] = 7
    machine.memory[0x201:0x204] = b"abc"
    machine.memory[0x204:0x206] = 0xEE
    machine.memory[0x206:0x208] = [1, 2]
    assert machine.memory[0x200:0x208] == b"\x07abc\xee\xee\x01\x02"
    assert len(machine.memory[:]) == 0x10000
    assert machine.memory[0x300:0x300] == b""


@pytest.mark.parametrize(
    "address", [-1, 0x10000, True, slice(0, 0x10001), slice(5, 2), slice(0, 8, 2), slice(-4, None)]
)
def test_addresses_are_checked(make: Make, address: int | slice) -> None:
    machine = make(COUNT)
    with pytest.raises(rr.AddressError, match="address|range"):
        machine.memory[address]
    with pytest.raises(IndexError):
        machine.memory[address] = 0


@pytest.mark.parametrize("value", [256, -1, "a", [300]])
def test_memory_holds_bytes(make: Make, value: object) -> None:
    with pytest.raises(rr.ArgumentError, match="bytes"):
        make(COUNT).memory[0x200:0x201] = value  # type: ignore[call-overload]


def test_memory_slices_keep_their_length(make: Make) -> None:
    with pytest.raises(rr.ArgumentError, match="lengths"):
        make(COUNT).memory[0x200:0x202] = b"abc"


def test_disassembly(make: Make) -> None:
    first, second, *_ = make(ECHO).disassemble(START, 4)
    assert (first.address, first.mnemonic, first.bytes) == (START, "LDA", ECHO[:3])
    assert (second.mnemonic, second.target) == ("BEQ", START)
    assert (first.operand, first.text, first.target) == ("$F004", "LDA $F004", None)
    assert str(first) == first.text
    assert make(ECHO).disassemble() == [first]


def test_bus_trace_shows_every_cycle(make: Make) -> None:
    machine = make(bytes.fromhex("FE0020"))  # INC 2000,X
    assert machine.cpu.pc == START
    machine.cpu.x = 1
    before = machine.cycles
    trace = machine.trace_bus()
    assert machine.cycles - before == len(trace)
    assert [cycle.address for cycle in trace[:3]] == [START, START + 1, START + 2]
    assert (trace[-1].kind, trace[-1].address, trace[-1].value) == ("w", 0x2001, 1)
    assert trace[-1].cycle == trace[0].cycle + len(trace) - 1


def test_snapshots_are_values(make: Make) -> None:
    machine = make(COUNT)
    machine.run(instructions=500)
    snapshot = machine.snapshot()
    assert (snapshot.icount, snapshot.cycles) == (500, machine.cycles)
    assert snapshot.digest == machine.snapshot().digest
    machine.run(instructions=500)
    later = machine.snapshot()
    assert later != snapshot
    machine.restore(snapshot)
    assert machine.icount == 500
    assert machine.snapshot() == snapshot
    assert hash(machine.snapshot()) == hash(snapshot)
    machine.run(instructions=500)
    assert machine.snapshot() == later
    assert rr.Snapshot.from_bytes(snapshot.to_bytes()) == snapshot


@pytest.mark.parametrize("data", [b"", b"no snapshot", bytes(1000)])
def test_bytes_that_are_no_snapshot(data: bytes) -> None:
    with pytest.raises(rr.SnapshotError):
        rr.Snapshot.from_bytes(data)


def test_a_snapshot_of_another_board(make: Make) -> None:
    with pytest.raises(rr.ReplayError, match="board|machine|snapshot"):
        rr.Machine("breadboard").restore(make(COUNT).snapshot())


def test_a_copy_goes_its_own_way(make: Make) -> None:
    machine = make(COUNT)
    machine.run(instructions=500)
    copy = machine.copy()
    assert copy.digest() == machine.digest()
    copy.run(instructions=10)
    assert (machine.icount, copy.icount) == (500, 510)


def test_digests_name_the_parts(make: Make) -> None:
    machine = make(COUNT)
    before = machine.digests()
    machine.memory[0x3000] = 1
    after = machine.digests()
    assert before.keys() == after.keys()
    assert [name for name in before if before[name] != after[name]] == ["memory"]


def test_reset_goes_through_the_vector(make: Make) -> None:
    machine = make(COUNT)
    machine.run(instructions=1001)
    machine.reset()
    stop = machine.run(pc=START, instructions=10)
    assert stop.reason == "pc"


def test_devices_show_their_state() -> None:
    machine = rr.Machine("breadboard")
    assert set(machine.devices) >= {"acia", "via"}
    assert machine.devices["via"].kind
    assert machine.devices["via"].state
    with pytest.raises(rr.UnknownDevice, match="no device 'sid'"):
        machine.devices["sid"]
    with pytest.raises(KeyError):
        machine.devices["sid"]
    assert "sid" not in machine.devices


def test_hooks_see_execution_and_memory(make: Make) -> None:
    machine = make(bytes.fromhex("A903 8D0030 AD0030 4C0010"))
    seen: list[tuple[str, int, int | None]] = []

    @machine.on_execute(START)
    def executed(event: rr.HookEvent) -> None:
        seen.append(("x", event.address, event.value))

    @machine.on_write(range(0x3000, 0x3100))
    def written(event: rr.HookEvent) -> None:
        seen.append(("w", event.address, event.value))

    @machine.on_read(0x3000)
    def read(event: rr.HookEvent) -> None:
        seen.append(("r", event.address, event.value))

    machine.run(instructions=4)
    assert seen == [("x", START, None), ("w", 0x3000, 3), ("r", 0x3000, 3)]
    for hook in (executed, written, read):
        hook.remove()
        hook.remove()
    seen.clear()
    machine.run(instructions=40)
    assert seen == []


def test_hooks_leave_the_run_as_it_is(make: Make) -> None:
    plain, hooked = make(COUNT), make(COUNT)
    hooked.on_execute(range(0x10000))(lambda event: None)
    plain.run(instructions=5000)
    hooked.run(instructions=5000)
    assert plain.digest() == hooked.digest()


def test_a_hook_stops_the_run(make: Make) -> None:
    machine = make(COUNT)
    machine.on_execute(START + 3)(lambda event: False)
    stop = machine.run(instructions=10**6)
    assert (stop.reason, stop.pc) == ("breakpoint", START + 3)


@pytest.mark.parametrize("scheduler", ["threads", "inline"])
def test_what_a_hook_raises_comes_out_of_run(make: Make, scheduler: rr.Scheduler) -> None:
    machine = make(COUNT)

    @machine.on_execute(START + 3)
    def broken(event: rr.HookEvent) -> None:
        raise LookupError(f"seen {event.address:#x}")

    with pytest.raises(LookupError, match="seen 0x1003"):
        machine.run(instructions=10**6, scheduler=scheduler)
    broken.remove()
    assert machine.run(instructions=10).reason == "budget"


@pytest.mark.parametrize("scheduler", ["threads", "inline"])
def test_a_hook_may_look_at_its_machine(make: Make, scheduler: rr.Scheduler) -> None:
    machine = make(COUNT)
    seen: list[tuple[int, int]] = []
    machine.on_execute(START + 3)(lambda event: seen.append((machine.cpu.pc, machine.cpu.x)))
    machine.run(cycles=3000, scheduler=scheduler)
    assert set(seen) == {(START + 3, 0)}


def test_a_hook_cannot_run_its_machine(make: Make) -> None:
    machine = make(COUNT)
    machine.on_execute(START + 3)(lambda event: machine.step() is None)
    with pytest.raises(rr.StateError):
        machine.run(instructions=10**6)


@pytest.mark.parametrize("address", [-1, 0x10000, range(0), range(0, 10, 2), "main"])
def test_hooks_want_addresses(make: Make, address: object) -> None:
    with pytest.raises(rr.AddressError):
        make(COUNT).on_read(address)  # type: ignore[arg-type]


def test_a_board_without_console_says_so() -> None:
    board = {
        "name": "bare",
        "cpu": {"kind": "w65c02", "clock_hz": 1_000_000},
        "region": [{"name": "ram", "kind": "ram", "start": 0, "end": 0xFFFF}],
    }
    machine = rr.Machine(board, rom=image(COUNT))
    with pytest.raises(rr.DeviceError, match="bare has no character device"):
        _ = machine.console


@pytest.mark.parametrize(
    "arguments",
    [
        {"scheduler": "fibres"},
        {"seconds": float("nan")},
        {"seconds": -1.0},
        {"seconds": float("inf")},
        {"output": b""},
        {"output": "text"},
    ],
)
def test_run_checks_its_arguments(make: Make, arguments: dict[str, object]) -> None:
    machine = make(COUNT)
    with pytest.raises(rr.ArgumentError):
        machine.run(instructions=10, **arguments)  # type: ignore[arg-type]
    assert machine.icount == 0


@pytest.mark.parametrize("arguments", [{"instructions": -1}, {"pc": 0x10000}, {"cycles": "many"}, {"pc": True}])
def test_run_refuses_what_is_no_number(make: Make, arguments: dict[str, object]) -> None:
    with pytest.raises(rr.ArgumentError, match="whole number"):
        make(COUNT).run(**arguments)  # type: ignore[arg-type]
