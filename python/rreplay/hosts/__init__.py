"""What the devices of a machine can be attached to: `machine.devices["acia"].attach(rreplay.TcpServer(6502))`.

A machine runs without hosts too: its console is `machine.console`, its disks are absent, its packets are lost and its
sound is not heard. While a machine is recorded, everything that a host does goes into the recording; so a replay has no
hosts and needs none.
"""

from .character import Files, Pty, TcpClient, TcpServer
from .entropy import Entropy
from .host import Host
from .network import NetworkFunction, Pcap, Udp
from .sound import WavInput, WavOutput
from .storage import Directory, DiskImage
from .user_device import UserDevice

__all__ = [
    "Directory",
    "DiskImage",
    "Entropy",
    "Files",
    "Host",
    "NetworkFunction",
    "Pcap",
    "Pty",
    "TcpClient",
    "TcpServer",
    "Udp",
    "UserDevice",
    "WavInput",
    "WavOutput",
]
