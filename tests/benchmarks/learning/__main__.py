"""`python -m tests.benchmarks.learning SNAPSHOT`; the experiment is a module of its own, which its processes import."""

from tests.benchmarks.learning.experiment import main

if __name__ == "__main__":
    main()
