"""The data of the cases, made by bench-data and from the real checkpoints of the tests; none of it is kept in git."""
import os
import pathlib
import shutil
import struct
import subprocess

import place

shared = ("pagemap", "pagemap-4.1", "memory")        # several cases use them; others go when their case ends


class Data:
    def __init__(self):
        self.folder = place.data_folder()

    def path(self, name):
        self.folder.mkdir(parents=True, exist_ok=True)
        return self.folder / name

    def image(self, kind, size):
        """An image by bench-data; its name tells its kind to those who go by names."""
        path = self.path(f"{kind}-{size}.img")
        if not path.exists():
            place.say(f"    making {path.name}")
            place.run(place.tool("bench-data"), kind, size, f"{path}.new")
            os.rename(f"{path}.new", path)
        return path

    def text(self, name, stages):
        """A file made by a pipeline of our programs."""
        path = self.path(name)
        if not path.exists():
            with open(path, "wb") as file:
                command = " | ".join(" ".join(str(word) for word in stage) for stage in stages)
                subprocess.run(command, shell=True, check=True, stdout=file)
        return path

    def real(self):
        """The real checkpoints, unpacked."""
        folder = place.own / "checkpoints"
        if not folder.exists():
            place.run(place.top / "tests" / "unpack-checkpoints", f"{folder}.new")
            os.rename(f"{folder}.new", folder)
        return folder

    def memory(self, size, kind="memory"):
        """A checkpoint with that many bytes of pages in one process: a real one of podman with another memory."""
        folder = self.path(f"{kind}-{size}")
        if not folder.exists():
            place.say(f"    making {folder.name}")
            new = pathlib.Path(f"{folder}.new")
            shutil.rmtree(new, ignore_errors=True)
            shutil.copytree(self.real() / "container", new)
            checkpoint = new / "checkpoint"
            place.run(place.tool("bench-data"), kind, size, 1, checkpoint)
            os.rename(new, folder)
        return folder

    def archive(self, folder):
        """tar.zst of it, as podman exports it."""
        path = pathlib.Path(f"{folder}.tar.zst")
        if not path.exists():
            place.say(f"    packing {path.name}")
            subprocess.run(f"tar -C {folder} -cf - . | zstd -q -3 -T0 -f -o {path}", shell=True, check=True)
        return path

    def tar(self, folder):
        """The same without compression."""
        path = pathlib.Path(f"{folder}.tar")
        if not path.exists():
            place.say(f"    packing {path.name}")
            subprocess.run(["tar", "-C", folder, "-cf", path, "."], check=True)
        return path

    def seekable(self, folder):
        """tar.zst of it, as crit-cat writes it."""
        path = pathlib.Path(f"{folder}.seekable.tar.zst")
        if not path.exists():
            place.say(f"    packing {path.name}")
            subprocess.run([place.program("crit-cat"), folder, "-o", path], check=True)
        return path

    def stream(self, checkpoint):
        """The image stream that criu-image-streamer would capture of a directory of images."""
        path = pathlib.Path(f"{checkpoint.parent}.stream")
        if path.exists():
            return path
        place.say(f"    making {path.name}")
        with open(path, "wb") as file:
            number = 0
            for image in sorted(checkpoint.glob("*.img")):
                number = put_marker(file, number, 2, image.name.encode())
                with open(image, "rb") as source:
                    while block := source.read(258048):
                        number = put_marker(file, number, 3, len(block))
                        file.write(block)
                number = put_marker(file, number, 4, 1)
            put_marker(file, number, 5, 1)
        return path

    def many(self, count):
        """Small checkpoints: images of a real one, without its pages, each in a directory of its own."""
        folder = self.path(f"many-{count}")
        if not folder.exists():
            place.say(f"    making {folder.name}")
            source = self.real() / "memory-4.1" / "checkpoint"
            wanted = ("inventory.img", "pstree.img", "core-*.img", "mm-*.img", "pagemap-*.img", "files.img", "fs-*.img",
                      "stats-dump")
            images = [(image.name, image.read_bytes()) for glob in wanted for image in sorted(source.glob(glob))[:1]]
            for number in range(count):
                one = folder / f"{number:05}"
                one.mkdir(parents=True)
                for name, content in images:
                    (one / name).write_bytes(content)
        return sorted(folder.iterdir())

    def tasks(self, count):
        """Tasks of one tree, with the core image of a real one each."""
        folder = self.path(f"tasks-{count}")
        if not folder.exists():
            place.say(f"    making {folder.name}")
            folder.mkdir(parents=True)
            core = (self.real() / "container" / "checkpoint" / "core-1.img").read_bytes()
            for pid in range(1, count + 1):
                (folder / f"core-{pid}.img").write_bytes(core)
            put_image(folder / "pstree.img", 0x50273030,
                      (message((1, pid), (2, pid // 2), (3, 1), (4, 1), (5, pid)) for pid in range(1, count + 1)))
        return folder

    def descriptors(self, count):
        """One task that has so many files open."""
        folder = self.path(f"descriptors-{count}")
        if not folder.exists():
            place.say(f"    making {folder.name}")
            shutil.copytree(self.tasks(1), folder)
            real = self.real() / "container" / "checkpoint"
            shutil.copy(real / "fs-1.img", folder)
            shutil.copy(real / "mm-1.img", folder)
            put_image(folder / "ids-1.img", 0x54432030, [message((1, 1), (2, 1), (3, 1), (4, 1))])
            put_image(folder / "fdinfo-1.img", 0x56213732,
                      (message((1, fd + 1), (2, 0), (3, 1), (4, fd)) for fd in range(count)))
            nobody = message((1, 0), (2, 0), (3, 0), (4, 0), (5, 0))
            put_image(folder / "files.img", 0x56303138,
                      (message((1, 1), (2, at), (3, message((1, at), (2, 0), (3, 0), (5, nobody),
                                                            (6, b"/usr/lib/file-%d" % at))))
                       for at in range(1, count + 1)))
        return folder

    def drop_unshared(self):
        if not self.folder.exists():
            return
        for path in self.folder.iterdir():
            if path.name.endswith(".img") and path.name.rsplit("-", 1)[0] in shared:
                continue
            if path.is_dir() and path.name.startswith("memory-"):
                continue
            if path.name.endswith(".tar.zst"):
                continue
            shutil.rmtree(path) if path.is_dir() else path.unlink()    # pylint: disable=expression-not-assigned


def message(*fields):
    """Fields of one message: integers, and bytes."""
    return b"".join(varint(number << 3) + varint(value) if isinstance(value, int) else
                    varint(number << 3 | 2) + varint(len(value)) + value for number, value in fields)


def put_image(path, magic, entries):
    with open(path, "wb") as file:
        file.write(struct.pack("<II", 0x54564319, magic))
        for entry in entries:
            file.write(struct.pack("<I", len(entry)) + entry)


def put_marker(file, number, field, value):
    """One marker of an image stream: its sequence number, then what follows."""
    message = (b"\x08" + varint(number) if number else b"")
    if isinstance(value, bytes):
        message += varint(field << 3 | 2) + varint(len(value)) + value
    else:
        message += varint(field << 3) + varint(value)
    file.write(struct.pack("<I", len(message)) + message)
    return number + 1


def varint(value):
    out = b""
    while value >= 0x80:
        out += bytes([value & 0x7f | 0x80])
        value >>= 7
    return out + bytes([value])
