"""The embedded Redis: one server for all who use a directory, gone with the last of them."""

import os
import signal
import stat
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import redis

from storefront.core.embedded_redis import EmbeddedRedis, EmbeddedRedisError, find_server, make_private, socket_path_of
from storefront.core.redis import connect
from tests.core.processes_seen import make_bare_core, processes_with, wait_until

USE_UNTIL_TOLD = """
import sys
from pathlib import Path
from storefront.core.embedded_redis import EmbeddedRedis
with EmbeddedRedis(Path(sys.argv[1])) as server:
    print(server.url, flush=True)
    sys.stdin.readline()
"""


@pytest.fixture
def start_user(tmp_path: Path, tmp_path_factory: pytest.TempPathFactory) -> Callable[[], "subprocess.Popen[str]"]:
    """Start another process that uses the server of tmp_path until it reads a line or is killed."""
    core = make_bare_core(tmp_path_factory.mktemp("core"))
    return lambda: subprocess.Popen(
        [sys.executable, "-c", USE_UNTIL_TOLD, str(tmp_path)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        cwd=core,
        start_new_session=True,
    )


@pytest.fixture
def user(tmp_path: Path, start_user: Callable[[], "subprocess.Popen[str]"]) -> Iterator["subprocess.Popen[str]"]:
    """Another process that uses the server of tmp_path."""
    process = start_user()
    assert process.stdout and process.stdout.readline().startswith("unix://")
    yield process
    process.kill()
    process.communicate()
    wait_until(lambda: not processes_of(tmp_path))


def processes_of(directory: Path) -> dict[int, str]:
    return processes_with(str(socket_path_of(directory)))


def keepers(directory: Path) -> list[int]:
    return [pid for pid, args in processes_of(directory).items() if "redis_keeper" in args]


def servers(directory: Path) -> list[int]:
    return [pid for pid, args in processes_of(directory).items() if "redis_keeper" not in args]


def test_it_answers_on_a_socket_that_only_its_user_may_open(tmp_path: Path) -> None:
    with EmbeddedRedis(tmp_path) as server:
        assert connect(server.url).ping()
        assert stat.S_IMODE(server.socket_path.stat().st_mode) == 0o700
        assert connect(server.url).config_get("port") == {"port": "0"}


def test_it_is_gone_when_its_only_user_leaves(tmp_path: Path) -> None:
    with EmbeddedRedis(tmp_path):
        pass

    assert not processes_of(tmp_path)


def test_it_keeps_its_data_from_one_start_to_the_next(tmp_path: Path) -> None:
    with EmbeddedRedis(tmp_path) as server:
        connect(server.url).set("units", "7")

    with EmbeddedRedis(tmp_path) as server:
        assert connect(server.url).get("units") == "7"


def test_a_second_process_finds_the_running_server(tmp_path: Path, user: "subprocess.Popen[str]") -> None:
    with EmbeddedRedis(tmp_path) as server:
        connect(server.url).ping()

        assert len(servers(tmp_path)) == 1


def test_a_short_command_does_not_take_the_server_away(tmp_path: Path, user: "subprocess.Popen[str]") -> None:
    with EmbeddedRedis(tmp_path) as server:
        pass

    assert connect(server.url).ping()


def test_who_started_the_server_may_leave_before_the_others(tmp_path: Path, user: "subprocess.Popen[str]") -> None:
    with EmbeddedRedis(tmp_path) as server:
        user.communicate("leave\n")

        assert connect(server.url).ping()


def test_no_orphan_stays_when_its_user_is_killed(tmp_path: Path, user: "subprocess.Popen[str]") -> None:
    user.kill()

    wait_until(lambda: not processes_of(tmp_path))


def test_a_ctrl_c_in_the_terminal_does_not_reach_it(tmp_path: Path, user: "subprocess.Popen[str]") -> None:
    assert os.getpgid(user.pid) not in {os.getpgid(pid) for pid in processes_of(tmp_path)}


def test_a_server_that_was_killed_is_started_again_with_its_data(tmp_path: Path) -> None:
    with EmbeddedRedis(tmp_path) as server:
        client = connect(server.url)
        client.set("units", "7")
        os.kill(int(client.info("server")["process_id"]), signal.SIGKILL)

        wait_until(lambda: answers(client))
        assert client.get("units") == "7"


def test_a_server_whose_keeper_was_killed_is_replaced_at_the_next_start(tmp_path: Path) -> None:
    first = EmbeddedRedis(tmp_path).start()
    stray = connect(first.url).info("server")["run_id"]
    os.kill(keepers(tmp_path)[0], signal.SIGKILL)
    wait_until(lambda: not first.running())

    with EmbeddedRedis(tmp_path) as second:
        assert connect(second.url).info("server")["run_id"] != stray
        first.close()
    assert not processes_of(tmp_path)


def test_ten_processes_at_once_agree_on_one_server(
    tmp_path: Path, start_user: Callable[[], "subprocess.Popen[str]"]
) -> None:
    users = [start_user() for _ in range(10)]
    answers_of = [user.stdout.readline() for user in users if user.stdout]

    assert len(set(answers_of)) == 1
    assert len(servers(tmp_path)) == 1
    for user in users:
        user.communicate("leave\n")
    wait_until(lambda: not processes_of(tmp_path))


def test_a_long_directory_path_does_not_matter(tmp_path: Path) -> None:
    directory = tmp_path / ("deep " * 20) / ("and quoted \"'" * 8)

    with EmbeddedRedis(directory) as server:
        assert connect(server.url).ping()
        assert len(str(server.socket_path)) < 100


def test_the_socket_path_depends_on_the_directory_alone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    before = socket_path_of(tmp_path)
    monkeypatch.setenv("TMPDIR", str(tmp_path))

    assert socket_path_of(tmp_path) == before != socket_path_of(tmp_path / "other")


def test_a_folder_that_others_may_enter_is_refused(tmp_path: Path) -> None:
    tmp_path.chmod(0o755)

    with pytest.raises(EmbeddedRedisError, match="not a private folder"):
        make_private(tmp_path)


def test_without_any_server_program_the_error_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("storefront.core.embedded_redis.find_spec", lambda _name: None)
    monkeypatch.setenv("PATH", "")

    with pytest.raises(EmbeddedRedisError, match=r"apt-get install redis-server"):
        find_server()


def answers(client: redis.Redis) -> bool:
    try:
        return bool(client.ping())
    except redis.RedisError:
        return False
