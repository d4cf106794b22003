"""The Deployment's controllers and a kubelet for a store in virtual time."""

from __future__ import annotations

from collections.abc import Callable

from beskar7.api.objects import Object
from beskar7.runtime.virtual import VirtualRuntime
from emulator.kube.faults.faults import ApiFaults
from emulator.kube.store.store import Store
from emulator.kube.workloads.clocks import AGENT
from emulator.kube.workloads.controllers import Controllers
from emulator.kube.workloads.events import Recorder
from emulator.kube.workloads.keeper import PodKeeper, register
from emulator.kube.workloads.kubelet import MAX_PODS
from emulator.kube.workloads.objects import NODE_NAME
from scenarios.engine.virtualpods.logs import PodLogs
from scenarios.engine.virtualpods.pod import NODE_ADDRESS, Launch, Node, VirtualPod

CAPACITY = {"cpu": "4", "memory": "16777216Ki", "pods": str(MAX_PODS)}


class VirtualKubelet:
    """Follows the store from :meth:`start` on. ``launch`` is that of :class:`Node`.

    Nothing in the store blocks, so between two blocking calls a task has it for itself, as the
    server's event loop has.
    """

    def __init__(
        self,
        runtime: VirtualRuntime,
        store: Store,
        launch: Launch,
        logs: PodLogs,
        faults: ApiFaults,
    ) -> None:
        self._store = store
        self._process = runtime.group("kubelet")
        events = Recorder(store, "kubelet", NODE_NAME)
        self._node = Node(
            store,
            self._process,
            events,
            launch,
            say=lambda pod, line: logs.say(pod, runtime.now(), line),
            log=lambda pod, since: logs.since(since).get(pod, ()),
            leaking=lambda pod: faults.leaking(AGENT + pod),
        )
        self._keeper: PodKeeper[VirtualPod] = PodKeeper(store, MAX_PODS, self._run)
        self._addresses = 0

    def start(self) -> None:
        register(
            self._store,
            address=NODE_ADDRESS,
            capacity=CAPACITY,
            labels={"kubernetes.io/os": "linux", "kubernetes.io/arch": "amd64"},
            info={
                "architecture": "amd64",
                "containerRuntimeVersion": "virtual://1",
                "kernelVersion": "",
                "operatingSystem": "linux",
                "osImage": "virtual time",
            },
            what="a machine in virtual time",
        )
        # The kubelet first: it hears of a pod before the ReplicaSet counts it.
        self._keeper.start()
        Controllers(self._store, self._later).resync()

    def stop(self) -> None:
        """All is over at once; the pods stay in the store."""
        self._keeper.down = True
        self._process.kill()

    @property
    def pods(self) -> list[VirtualPod]:
        """Those that run, oldest first."""
        return list(self._keeper.pods.values())

    def _later(self, seconds: float, call: Callable[[], object]) -> object:
        return self._process.timer(seconds, call, name="kube-controller-manager")

    def _run(self, obj: Object) -> VirtualPod:
        # Never given again in a run: 65 thousand are enough for it.
        self._addresses += 1
        ip = f"10.244.{self._addresses // 250 % 256}.{self._addresses % 250 + 1}"
        worker = VirtualPod(self._node, obj, ip)
        self._process.spawn(self._live, worker, name=f"{worker.name}/kubelet")
        return worker

    def _live(self, worker: VirtualPod) -> None:
        worker.run()
        self._keeper.ended(worker)
