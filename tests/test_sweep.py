"""Sweeps: order, errors that name the value, threads, and the same on a Dask cluster."""

from __future__ import annotations

import os

import pytest
import torch

from pdekit.errors import ConfigError, SweepError
from pdekit.sweep import sweep


def square(value):
    return value**2


def inverse(value):
    return 1 / value


def place(value):
    return os.getpid(), torch.get_num_threads()


@pytest.mark.parametrize("jobs", [1, 2])
def test_results_come_in_the_order_of_the_values(jobs):
    heard = []
    found = sweep(square, [3, 1, 2], jobs=jobs, report=lambda label, done: heard.append((label, done)), label="squares")
    assert found == [9, 1, 4]
    assert heard == [("squares", 1 / 3), ("squares", 2 / 3), ("squares", 1.0)]
    assert sweep(square, [], jobs=jobs) == []


@pytest.mark.parametrize("jobs", [1, 2])
def test_an_error_names_the_value(jobs):
    with pytest.raises(SweepError, match=r"value 0: got ZeroDivisionError: division by zero[\s\S]*in inverse"):
        sweep(inverse, [2, 0, 1], jobs=jobs)


def test_side_by_side_means_other_processes_with_one_thread_each():
    threads = torch.get_num_threads()
    found = sweep(place, list(range(4)), jobs=2)
    assert os.getpid() not in {pid for pid, _ in found} and {count for _, count in found} == {1}
    assert torch.get_num_threads() == threads
    assert sweep(place, [0], jobs=2)[0][0] == os.getpid(), "one value needs no other process"


def test_jobs_are_a_positive_number():
    with pytest.raises(ConfigError, match="jobs: got 0"):
        sweep(square, [1], jobs=0)


def test_a_dask_cluster_does_the_same():
    distributed = pytest.importorskip("distributed", reason="needs a Dask cluster: pip install 'pdekit[dask]'")
    from joblib import parallel_config

    # Threads in this process are the smallest cluster; the way through its scheduler is that of any other.
    with (
        distributed.LocalCluster(n_workers=1, threads_per_worker=2, processes=False, dashboard_address=None) as cluster,
        distributed.Client(cluster),
        parallel_config(backend="dask"),
    ):
        assert sweep(square, [3, 1, 2], jobs=2) == [9, 1, 4]
        with pytest.raises(SweepError, match="value 0"):
            sweep(inverse, [1, 0], jobs=2)
