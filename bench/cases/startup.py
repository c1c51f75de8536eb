"""Start to end on the smallest image"""


def run(case):
    image = case.data.real() / "memory-4.1" / "checkpoint" / "timens-0.img"
    runners = [case.ours(["crit-tojson", image], repeat=case.size(200, 20), rate=False),
               case.ours(["crit-cat", image], repeat=case.size(200, 20), rate=False),
               case.runner("/bin/true", ["/bin/true"], repeat=case.size(200, 20), role="limit"),
               case.cat(image, repeat=case.size(200, 20))]
    ours = case.output([case.program("crit-tojson"), image])
    for label, path in case.peers("crit-native", "crit-trixie"):
        if (theirs := case.ask(label, [path, "decode"], stdin=image)) is None:
            continue
        case.equal(f"{label}: the same bytes", ours.rstrip(b"\n"), theirs.rstrip(b"\n"))
        runners.append(case.runner(label, [path, "decode"], stdin=image, repeat=3))
    for label, path in case.peers("crit-go"):
        runners.append(case.runner(label, [path, "decode"], stdin=image, repeat=20))
    runners.append(case.runner("a program with libprotobuf", [case.tool("bench-protobuf"), case.data.image("mm", 1)],
                               repeat=20))
    rows = case.race("one small image", runners)
    for name in ("crit-tojson", "crit-cat"):
        quotient = rows[name]["median"] / rows["/bin/true"]["median"]
        case.target(f"{name}: time of /bin/true", quotient, 2, "x", at_least=False)
