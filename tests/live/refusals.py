#!/usr/bin/env python3
"""refusals.py: programs that CRIU refuses to dump are refused by crit-dump --check first, with what to do.

usage: refusals.py CORPUS SHARE | LAB run bash

CORPUS/engines/dump-failures/truth.json has the programs, CRIU's command lines and its words; src/prog.c, which is copied to SHARE,
is the program that they start. Prints a shell script for the lab, where crit-dump is in /share/bin; that prints PASS or FAIL a
case, and what was said.
"""
import json
import os
import shlex
import shutil
import sys

CORPUS, SHARE = sys.argv[1:3]
DIRECTORY = "/srv/live/refusals"
# CRIU's options as crit-dump takes them.
OPTIONS = {"--prev-images-dir": "--parent"}
IGNORED = {"--leave-running", "-v4"}
# What gdb is told in Python may be missing where its smallest build is installed.
SLEEP = {"python import time; time.sleep(60)": "shell sleep 60"}


def options_of(line):
    words = iter(shlex.split(line)[2:])
    options = []
    for word in words:
        if word in ("-t", "-D", "-o"):
            next(words)
        elif word == "--ghost-limit":
            options += ["--ghost-limit", next(words)]
        elif word not in IGNORED:
            options.append(OPTIONS.get(word, word))
    return options + (["--into", f"{DIRECTORY}/into"] if "--parent" in options else [])


def program_of(case):
    words = [SLEEP.get(word, word) for word in case["program"] or []]
    return shlex.join(words)


shutil.copy(f"{CORPUS}/engines/src/prog.c", f"{SHARE}/prog.c")
print(f"""
export PATH=/share/bin:$PATH LD_LIBRARY_PATH=/share/lib
rm -rf {DIRECTORY}; mkdir -p {DIRECTORY} /opt/corpus /srv/df
mount -t tmpfs tmpfs /srv/df; mkdir -p /srv/df/sub
[ -x /opt/corpus/progd ] || gcc -w -O1 -o /opt/corpus/progd /share/prog.c -pthread -lrt || exit 1
cd {DIRECTORY}
passed=0 failed=0
# Starts a program in a session of its own, or within ours; the process to be dumped is $pid.
start() {{ # within|leader PROGRAM...
  local how=$1; shift
  if [ $how = leader ]; then setsid "$@" </dev/null >/dev/null 2>&1 & else "$@" </dev/null >/dev/null 2>&1 & fi
  pid=$! started=$!
  disown
  sleep 2
}}
below() {{ # PID NAME: the process with that name below it
  local child
  for child in $(cat /proc/$1/task/*/children); do
    if [ "$(cat /proc/$child/comm)" = "$2" ]; then pid=$child; return; fi
    below $child "$2"
  done
}}
refused() {{ # NAME OPTION...
  local name=$1 said status; shift
  said=$(crit-dump --check -t $pid "$@" 2>&1); status=$?
  if [ $status != 0 ] && [ -n "$said" ]; then
    passed=$((passed + 1)); echo "PASS refused: $name"
  else
    failed=$((failed + 1)); echo "FAIL refused: $name: exit $status"
  fi
  echo "$said" | grep -E '^error|crit-dump:' | sed 's/^/     /'
}}
""")
for case in json.load(open(f"{CORPUS}/engines/dump-failures/truth.json", encoding="utf-8"))["cases"]:
    name, options = case["name"], shlex.join(options_of(case["dump"]))
    if case["program"] is None:
        print(f"pid=31777; refused {name} {options}")
        continue
    how = "within" if name == "session-leader-outside" else "leader"
    print(f"start {how} {program_of(case)}")
    comm = case["process"]["comm"]
    print(f'[ "$(cat /proc/$pid/comm)" = {comm} ] || below $pid {comm}')
    print(f"refused {name} {options}; kill -KILL $pid $started 2>/dev/null; pkill -KILL -x progd; pkill -KILL -x socat")
print('echo "refusals: $passed passed, $failed failed"; [ $failed = 0 ]')
