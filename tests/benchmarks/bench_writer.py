"""What free inputs reach, and what they cost."""

import json
import os
from pathlib import Path
from typing import Any
import ast, sys

from case2code import values
from case2code.extract_functions import extract
from case2code.inputs.explore import explore
from case2code.sandbox import Limits, Sandbox
from case2code.writers import TRIAL
from case2code.writers import TRIAL, Function
from tests.benchmarks.bench_sandbox import measure

def functions(path=Path(__file__).with_name("functions.jsonl")):
    for line in path.read_text().splitlines():
        row = json.loads(line)
        file = dict(source="", repository="", revision="", committed_at=None, path="", license="", url="", content=row["code"])
        r = [r for r in extract(file) if r["name"]==row["name"]][-1]
        yield Function(row["function_id"], row["name"], row["code"], tuple(r["parameters"]), tuple(r["seeds"] or ())), row

def main():
    path = Path(sys.argv[1]) if len(sys.argv)>1 else Path(__file__).with_name("functions.jsonl")
    fs = list(functions(path))
    out = []
    with Sandbox(TRIAL, passes=1) as s:
        c = measure(len(fs), lambda: out.extend(explore([f for f,_ in fs], 32, s)))
    n = len(out)
    run=[(w,r) for w,(f,r) in zip(out,fs) if w.reached.returned or any(k["outcome"]=="returned" for k in r["cases"])]
    m=len(run)
    def share(p): return 100*sum(map(p,(w for w,_ in run)))/m
    cov=lambda w: len(w.reached.lines)/max(1,len(w.reached.lines)+len(w.reached.missed_lines))
    print("runnable",m,"of",n)
    print(">=3", share(lambda w:w.reached.returned>=3), ">=10", share(lambda w:w.reached.returned>=10))
    def boolean(f,w): return False
    print("outputs>=3", share(lambda w:w.reached.distinct_outputs>=3), ">=2", share(lambda w:w.reached.distinct_outputs>=2))
    print("cov", share(cov), "full", share(lambda w: not w.reached.missed_lines))
    print("cpu ms",c.cpu*1000,"wall",c.wall*1000)
    with open("/tmp/out.jsonl","w") as fh:
        for w,(f,r) in zip(out,fs):
            fh.write(json.dumps(dict(name=f.name,code=f.code,ret=w.reached.returned,outs=w.reached.distinct_outputs,missed=w.reached.missed_lines,lines=len(w.reached.lines),types=w.reached.types,args=w.arguments,origins=w.origins,seeds=f.seeds))+"\n")
if __name__ == "__main__":
    main()
