"""Plays CRIU to an image streamer, written from the description of the protocol alone.

    request: u32 size, message {1: file name}; then one byte with a descriptor beside it, our pipe's other end
    reply, for a restore: u32 size, message {1: exists}; only then the pipe

usage: criu_player.py dump DIR [NAME=FILE|NAME:TEXT]...      sends images, in this order
       criu_player.py restore DIR NAME...                    prints each image that there is, and which there are not
       criu_player.py get DIR NAME                           an image, as it is
       criu_player.py raw DIR capture|serve HEX              sends these bytes, then goes
"""
import array
import os
import socket
import struct
import sys
import time


def connect(directory, end):
    path = f"{directory}/streamer-{end}.sock"
    for _ in range(500):
        try:
            peer = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
            peer.connect(path)
            return peer
        except (FileNotFoundError, ConnectionRefusedError):
            peer.close()
            time.sleep(0.02)
    raise SystemExit(f"criu_player: nobody listens at {path}")


def request(peer, name):
    name = name.encode() if isinstance(name, str) else name
    length = len(name)
    size = bytes([length]) if length < 128 else bytes([length & 127 | 128, length >> 7])
    message = b"\x0a" + size + name
    peer.sendall(struct.pack("<I", len(message)) + message)


def pass_pipe(peer, fd):
    peer.sendmsg([b"\0"], [(socket.SOL_SOCKET, socket.SCM_RIGHTS, array.array("i", [fd]))])
    os.close(fd)


class Dump:
    def __init__(self, directory=None, peer=None):
        self.peer = peer or connect(directory, "capture")

    def begin(self, name):
        """Returns the descriptor to write the image to."""
        request(self.peer, name)
        theirs, ours = os.pipe()
        pass_pipe(self.peer, theirs)
        return ours

    def image(self, name, content):
        with os.fdopen(self.begin(name), "wb") as pipe:
            pipe.write(content)

    def close(self):
        self.peer.close()


class Restore:
    def __init__(self, directory=None, peer=None):
        self.peer = peer or connect(directory, "serve")

    def begin(self, name):
        """Returns the descriptor to read the image from; None: there is no such image."""
        request(self.peer, name)
        reply = self.peer.recv(6, socket.MSG_WAITALL)
        if len(reply) < 6:
            raise ConnectionError("no reply")
        assert reply[:5] == b"\x02\0\0\0\x08" and reply[5] in (0, 1), reply
        if reply[5] == 0:
            return None
        ours, theirs = os.pipe()
        pass_pipe(self.peer, theirs)
        return ours

    def image(self, name):
        fd = self.begin(name)
        if fd is None:
            return None
        with os.fdopen(fd, "rb") as pipe:
            return pipe.read()

    def close(self):
        self.peer.close()


def main(what, directory, *words):
    if what == "dump":
        dump = Dump(directory)
        for word in words:
            name, _, path = word.partition("=")
            if path:
                with open(path, "rb") as file:
                    dump.image(name, file.read())
            else:
                name, _, text = word.partition(":")
                dump.image(name, text.encode())
        dump.close()
    elif what == "restore":
        restore = Restore(directory)
        for name in words:
            content = restore.image(name)
            print(f"{name}: " + ("none" if content is None else repr(content)), flush=True)
        restore.close()
    elif what == "get":
        restore = Restore(directory)
        sys.stdout.buffer.write(restore.image(words[0]))
        restore.close()
    else:
        peer = connect(directory, words[0])
        peer.sendall(bytes.fromhex(words[1]))
        peer.close()


if __name__ == "__main__":
    try:
        main(*sys.argv[1:])
    except (BrokenPipeError, ConnectionError):
        print("criu_player: the streamer has gone", file=sys.stderr)
        sys.exit(1)
