"""A CUDA device that is pretended: tensors in ordinary memory, with a mark on those that would be on the GPU.

Within `pretended_cuda()` torch has one CUDA device. What would fail on a real one fails here: operations on tensors of
both devices, numpy on a GPU's tensor, a generator of the other device. What would wait for the GPU is counted, or
raises within `never_waits`. The GPU's random numbers come from a generator of its own. The values are those of the
CPU, bit for bit, so a whole training can be compared with one on the CPU.

It cannot show: what CUDA's kernels compute, which types they lack, whether they are deterministic, the types that
autocast chooses on CUDA (the CPU's are taken), memory, speed, streams and processes. tests/gpu does, on a real device.
"""

import contextlib
from collections import Counter
from collections.abc import Iterator
from types import SimpleNamespace
from typing import Any

import pytest
import torch
from torch import Tensor
from torch.overrides import TorchFunctionMode
from torch.utils._python_dispatch import TorchDispatchMode

GPU = torch.device("cuda", 0)
MARK = "is_on_the_pretended_gpu"
aten = torch.ops.aten
# operations whose result's shape or check the CPU needs
WAITING = {
    *(aten._local_scalar_dense, aten.nonzero, aten.masked_select, aten.equal, aten.bincount, aten.multinomial),
    *(aten._unique, aten._unique2, aten.unique_dim, aten.unique_consecutive, aten.repeat_interleave),
    *(aten._linalg_eigh, aten.linalg_cholesky_ex, aten._linalg_svd, aten.histc),
}
INDEXING = {aten.index, aten.index_put, aten.index_put_, aten._index_put_impl_, aten._unsafe_index}
STRICT = {aten.cat, aten.stack}  # take no scalar of the CPU among a GPU's tensors
CHECKED_ON_CPUS = {torch.nn.functional.one_hot, torch._C._nn.one_hot}  # whose values only the CPU's version reads
READS = {getattr(Tensor, name) for name in ("tolist", "numpy", "__array__", "data_ptr")}


def is_on_gpu(tensor: Tensor) -> bool:
    while torch._C._functorch.is_functorch_wrapped_tensor(tensor):
        tensor = torch._C._functorch.get_unwrapped(tensor)
    return getattr(tensor.untyped_storage(), MARK, False)


def put(tensor: Tensor, on_gpu: bool) -> Tensor:
    setattr(tensor.untyped_storage(), MARK, on_gpu)
    return tensor


def is_gpu(device: Any) -> bool:
    return device is not None and (isinstance(device, int) or torch.device(device).type == "cuda")


def tensors_in(*values: Any) -> list[Tensor]:
    found: list[Tensor] = []
    for value in values:
        if isinstance(value, Tensor):
            found.append(value)
        elif isinstance(value, list | tuple):
            found += tensors_in(*value)
        elif isinstance(value, dict):
            found += tensors_in(*value.values())
    return found


class Gpu:
    """The state of the pretended device.

    Attributes:
        waits: what the CPU waited for, counted by operation.
        may_wait: False within `never_waits`.
        ambient: whether tensors that torch itself makes, for the call under way, are on the GPU.
        random: the state of its generator.
        recording: of a CUDA graph that is being captured.
        replays: of CUDA graphs.
    """

    def __init__(self) -> None:
        self.waits: Counter[str] = Counter()
        self.may_wait, self.ambient, self.checks = True, False, False
        self.random = torch.Generator().manual_seed(1).get_state()
        self.recording: Recording | None = None
        self.replays = 0

    def wait(self, what: str) -> None:
        if self.checks:
            return
        if not self.may_wait or self.recording is not None:
            raise AssertionError(f"waits for the GPU: {what}")
        self.waits[what] += 1

    @contextlib.contextmanager
    def calling(self, func: Any, on_gpu: bool) -> Iterator[None]:
        before, self.ambient = (self.ambient, self.checks), on_gpu
        self.checks = func in CHECKED_ON_CPUS
        try:
            yield
        finally:
            self.ambient, self.checks = before

    @contextlib.contextmanager
    def never_waits(self) -> Iterator[None]:
        before, self.may_wait = self.may_wait, False
        try:
            yield
        finally:
            self.may_wait = before

    def seed(self, seed: int) -> None:
        if self.recording is not None:
            raise AssertionError("seeds the GPU while a graph is captured")
        self.random = torch.Generator().manual_seed(seed).get_state()

    @contextlib.contextmanager
    def its_random_numbers(self) -> Iterator[None]:
        before = torch.default_generator.get_state()
        torch.default_generator.set_state(self.random)
        yield
        self.random = torch.default_generator.get_state()
        torch.default_generator.set_state(before)


class Calls(TorchFunctionMode):
    """What Python calls: devices by name, copies between them, and reading a GPU's tensor."""

    def __init__(self, gpu: Gpu):
        self.gpu = gpu

    def __torch_function__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        kwargs = kwargs or {}
        first = args[0] if args and isinstance(args[0], Tensor) else None
        if func == Tensor.device.__get__:
            return GPU if is_on_gpu(args[0]) else func(*args)
        if func == Tensor.is_cuda.__get__:
            return is_on_gpu(args[0])
        if func in READS and first is not None and is_on_gpu(first):
            if func not in (Tensor.tolist, Tensor.data_ptr):
                raise TypeError("can't convert cuda:0 device type tensor to numpy")
            self.gpu.wait(func.__name__)
        if func in (Tensor.to, Tensor.cuda, Tensor.cpu) or (func is torch.as_tensor and first is not None):
            return self._move(func, *args, **kwargs)
        wanted = kwargs.pop("device", None)
        on_gpu = is_gpu(wanted) or (wanted is None and any(map(is_on_gpu, tensors_in(args, kwargs))))
        if (generator := kwargs.get("generator")) is not None and is_gpu(generator.device) != on_gpu:
            raise RuntimeError(f"Expected a generator of the tensor's device, got {generator.device}")
        if func in (torch.tensor, torch.as_tensor) and is_gpu(wanted):
            self.gpu.wait("torch.tensor")
        if wanted is not None and not is_gpu(wanted):
            kwargs["device"] = wanted
        with self.gpu.calling(func, on_gpu):
            result = func(*args, **kwargs)
        return put(result, on_gpu) if wanted is not None and isinstance(result, Tensor) else result

    def _move(self, func: Any, tensor: Tensor, *args: Any, **kwargs: Any) -> Tensor:
        device = kwargs.pop("device", None)
        if func in (Tensor.cuda, Tensor.cpu):
            device, args = GPU if func is Tensor.cuda else "cpu", ()
        elif args and isinstance(args[0], Tensor):
            device, args = GPU if is_on_gpu(args[0]) else "cpu", (args[0].dtype, *args[1:])
        elif args and not isinstance(args[0], torch.dtype):
            device, *rest = args
            args = tuple(rest)
        if device is None:
            return tensor.to(None, *args, **kwargs)
        if not is_gpu(device) and torch.device(device).type != "cpu":
            return tensor.to(device, *args, **kwargs)
        here, there = is_on_gpu(tensor), is_gpu(device)
        if here == there:
            return tensor.to("cpu", *args, **kwargs)
        if not (kwargs.get("non_blocking") or (len(args) > 1 and args[1])):
            self.gpu.wait("copy between devices")
        return put(tensor.to("cpu", *args[:2], **{**kwargs, "copy": True}), there)


class Operations(TorchDispatchMode):
    """What torch computes, backwards too: its tensors are on one device, and its results are on it."""

    def __init__(self, gpu: Gpu):
        super().__init__()
        self.gpu = gpu

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        kwargs = kwargs or {}
        tensors = [tensor for tensor in tensors_in(args, kwargs) if tensor.device.type != "meta"]
        on_gpu = any(map(is_on_gpu, tensors)) if tensors else self.gpu.ambient and "device" in _arguments(func)
        if not on_gpu:
            return func(*args, **kwargs)
        if tensors:
            self._check(func, args, tensors)
        draws = torch.Tag.nondeterministic_seeded in func.tags and kwargs.get("generator") is None
        recording = self.gpu.recording
        if recording is not None:  # batch_norm writes too, whatever its schema says
            recording.keep(tensors)
        with self.gpu.its_random_numbers() if draws else contextlib.nullcontext():
            result = func(*args, **kwargs)
        if func.overloadpacket is not aten.copy_:
            for tensor in tensors_in(result):
                put(tensor, True)
        if recording is not None:
            recording.add(func, args, kwargs, result)
        return result

    def _check(self, func: Any, args: Any, tensors: list[Tensor]) -> None:
        packet = func.overloadpacket
        others = [tensor for tensor in tensors if not is_on_gpu(tensor)]
        if packet is aten.copy_:
            if others and not (len(args) > 2 and args[2]):
                self.gpu.wait("copy between devices")
        elif packet in INDEXING:
            if others or any(index.dtype in (torch.bool, torch.uint8) for index in tensors_in(args[1])):
                self.gpu.wait(f"{func} by {'numbers on the CPU' if others else 'a mask'}")
        elif any(tensor.dim() or packet in STRICT or _is_written(tensor, func, args) for tensor in others):
            raise RuntimeError(f"Expected all tensors to be on the same device: {func}, one of them is on the CPU")
        if packet in WAITING:
            self.gpu.wait(str(func))


def _is_written(tensor: Tensor, func: Any, args: Any) -> bool:
    return func._schema.is_mutable and tensor is args[0]


def _arguments(func: Any) -> set[str]:
    return {argument.name for argument in func._schema.arguments}


class Recording:
    """The operations of a CUDA graph. What they wrote while it was captured is undone at its end, as a real capture
    computes nothing."""

    def __init__(self) -> None:
        self.operations: list[tuple[Any, ...]] = []
        self.own: set[int] = set()  # storages of its results
        self.before: dict[int, tuple[Tensor, Tensor]] = {}

    def keep(self, tensors: list[Tensor]) -> None:
        for tensor in tensors:
            storage = tensor.untyped_storage()._cdata
            if storage not in self.own and storage not in self.before:
                self.before[storage] = tensor, put(tensor.clone(), True)

    def add(self, func: Any, args: Any, kwargs: Any, result: Any) -> None:
        given = {tensor.untyped_storage()._cdata for tensor in tensors_in(args, kwargs)}
        made = {tensor.untyped_storage()._cdata for tensor in tensors_in(result)} - given
        self.own |= made
        is_view = torch.Tag.inplace_view in func.tags or not (made or func._schema.is_mutable)
        if not is_view:
            self.operations.append((func, args, kwargs, [tensor.detach() for tensor in tensors_in(result)]))

    def undo(self) -> None:
        for tensor, value in self.before.values():
            tensor.copy_(value)


class Graph:
    """A CUDA graph that repeats recorded operations on the same memory."""

    def __init__(self, gpu: Gpu):
        self.gpu, self.operations = gpu, []

    @contextlib.contextmanager
    def captured(self) -> Iterator[None]:
        random, self.gpu.recording = self.gpu.random, Recording()
        try:
            yield
        finally:
            recording, self.gpu.recording, self.gpu.random = self.gpu.recording, None, random
        with torch.no_grad():
            recording.undo()
        self.operations = recording.operations

    def replay(self) -> None:
        self.gpu.replays += 1
        below = torch._C._AutoDispatchBelowAutograd(), torch._C._DisableAutocast()  # as it was recorded
        with torch.enable_grad(), below[0], below[1]:
            for func, args, kwargs, result in self.operations:
                for old, new in zip(tensors_in(result), tensors_in(func(*args, **kwargs)), strict=True):
                    if old.untyped_storage()._cdata != new.untyped_storage()._cdata:
                        old.copy_(put(new, True))


class Stream:
    """A stream that does everything at once."""

    def wait_stream(self, other: "Stream") -> None:
        pass


class Generator(torch.Generator):
    """A generator that knows a device by name."""

    def __new__(cls, device: Any = "cpu") -> "Generator":
        made = super().__new__(cls)
        made.place = GPU if is_gpu(device) else torch.device("cpu")
        return made

    def __init__(self, device: Any = "cpu"):
        pass

    @property
    def device(self) -> torch.device:  # type: ignore[override]
        return self.place


def _by_device(groups: dict[Any, Any]) -> dict[Any, Any]:
    """torch's groups of tensors, by the device that they pretend to be on."""
    return {
        (GPU if any(map(is_on_gpu, tensors_in(lists[0]))) else device, dtype): (lists, numbers)
        for (device, dtype), (lists, numbers) in groups.items()
    }


@contextlib.contextmanager
def pretended_cuda() -> Iterator[Gpu]:
    """Let torch have one CUDA device within the context."""
    gpu = Gpu()
    autocast, group = torch.autocast, torch._C._group_tensors_by_device_and_dtype
    names = {
        "is_available": lambda: True,
        "is_initialized": lambda: True,
        "device_count": lambda: 1,
        "current_device": lambda: 0,
        "set_device": lambda _: None,
        "synchronize": lambda _=None: None,
        "empty_cache": lambda: None,
        "manual_seed": gpu.seed,
        "manual_seed_all": gpu.seed,
        "get_device_name": lambda _=None: "pretended GPU",
        "get_device_capability": lambda _=None: (9, 0),
        "get_device_properties": lambda _=None: SimpleNamespace(major=9, minor=0, name="pretended GPU"),
        "is_current_stream_capturing": lambda: gpu.recording is not None,
        "CUDAGraph": lambda: Graph(gpu),
        "graph": lambda graph, **_: graph.captured(),
        "Stream": Stream,
        "stream": lambda _: contextlib.nullcontext(),
        "current_stream": lambda _=None: Stream(),
        "is_bf16_supported": lambda including_emulation=True: True,
        "mem_get_info": lambda _=None: (2**30, 2**30),
        "max_memory_allocated": lambda _=None: 2**30,
        "reset_peak_memory_stats": lambda _=None: None,
    }
    with pytest.MonkeyPatch.context() as patch:
        for name, stand_in in names.items():
            patch.setattr(torch.cuda, name, stand_in)
        capturing = SimpleNamespace(is_capturing=lambda: gpu.recording is not None)
        patch.setattr(torch.accelerator, "current_stream", lambda _=None: capturing)
        patch.setattr(torch._C, "_group_tensors_by_device_and_dtype", lambda *lists: _by_device(group(*lists)))
        patch.setattr(torch.backends.cudnn, "is_acceptable", lambda _: False)
        patch.setattr(torch, "Generator", Generator)
        patch.setattr(torch, "autocast", lambda device, *args, **kwargs: autocast("cpu", *args, **kwargs))
        with Operations(gpu), Calls(gpu):
            yield gpu
