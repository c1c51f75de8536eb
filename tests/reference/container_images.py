"""Container images that hold a checkpoint as a layer, in the forms that engines save them in: written here, byte by byte."""
import gzip
import hashlib
import io
import json
import os
import subprocess
import tarfile

MTIME = 1_700_000_000


def tar(members):
    """members: (name, bytes), or (name, None) for a directory, or (name, "-> target") for a link."""
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w", format=tarfile.GNU_FORMAT) as archive:
        for name, content in members:
            info = tarfile.TarInfo(name)
            info.mtime = MTIME
            if content is None:
                info.type = tarfile.DIRTYPE
            elif isinstance(content, str):
                info.type, info.linkname = tarfile.SYMTYPE, content.removeprefix("-> ")
            else:
                info.size = len(content)
            archive.addfile(info, io.BytesIO(content) if isinstance(content, bytes) else None)
    return out.getvalue()


def gz(data):
    return gzip.compress(data, mtime=MTIME)


def zstd(data):
    return subprocess.run(["zstd", "-qc"], input=data, stdout=subprocess.PIPE, check=True).stdout


def digest(data):
    return hashlib.sha256(data).hexdigest()


def file_system():
    """A layer that is a file system; some of its files look like images and archives of images."""
    core = b"\x19\x02\x10\x54\x47\x38\x05\x55" + b"\0" * 12
    return tar([("bin", None), ("bin/sh", b"#!" * 4000), ("disk.img", b"\0" * 9000), ("files.img", b"no image" * 9),
                ("home/user/dump/core-7.img", core), ("root/checkpoint/core-8.img", core),
                ("srv/save.tar", tar([("checkpoint/core-9.img", core)])),
                ("stats-monthly", b"1 2 3\n"), ("var/lib/checkpoint/pages-1.img", b"\0" * 4096)])


def set_of(stored_layer):
    """What the sets of a layer are called, by the bytes that it is stored as."""
    return digest(stored_layer)[:12]


def docker_archive(layers):
    """As podman writes it: layers first, what they are last; also under the names of old, as links."""
    members, names = [], []
    for layer in layers:
        names.append(digest(layer) + ".tar")
        members.append((names[-1], layer))
    config = json.dumps({"architecture": "amd64", "os": "linux", "rootfs": {"type": "layers"}}).encode()
    members.append((digest(config) + ".json", config))
    for layer in layers:
        old = digest(b"old" + layer)
        members += [(f"{old}/layer.tar", f"-> ../{digest(layer)}.tar"), (f"{old}/VERSION", b"1.0"), (f"{old}/json", b"{}")]
    members.append(("manifest.json", json.dumps([{"Config": digest(config) + ".json", "Layers": names}]).encode()))
    return tar(members)


def old_docker_archive(layers):
    members = [(f"{digest(layer)}/layer.tar", layer) for layer in layers]
    return tar([("manifest.json", json.dumps([{"Layers": [name for name, _ in members]}]).encode()), *members])


def oci_files(layers, packed=gz):
    """The files of an OCI layout: oci-layout, index.json, blobs/sha256/DIGEST."""
    blobs = [packed(layer) for layer in layers]
    manifest = json.dumps({"schemaVersion": 2, "layers": [
        {"mediaType": "application/vnd.oci.image.layer.v1.tar+gzip", "digest": "sha256:" + digest(blob), "size": len(blob)}
        for blob in blobs]}).encode()
    index = json.dumps({"schemaVersion": 2, "manifests": [{"digest": "sha256:" + digest(manifest), "size": len(manifest)}]})
    blobs.append(manifest)
    files = {"oci-layout": b'{"imageLayoutVersion": "1.0.0"}', "index.json": index.encode()}
    files.update((f"blobs/sha256/{digest(blob)}", blob) for blob in blobs)
    return files


def oci_archive(layers, folder="", packed=gz):
    return tar((folder + name, content) for name, content in oci_files(layers, packed).items())


def write_files(folder, files):
    for name, content in files.items():
        path = os.path.join(folder, name)
        os.makedirs(os.path.dirname(path), exist_ok=True)
        with open(path, "wb") as file:
            file.write(content)
