"""The ops pages: closed, or behind a login; the RQ dashboard with them."""

from base64 import b64encode
from collections.abc import Callable

import pytest
from flask import Flask
from rq import SimpleWorker
from rq.job import Job
from rq.serializers import JSONSerializer

from storefront import create_app, ops
from storefront.core.config import Settings
from storefront.stock.stockroom import Stockroom
from tests.cart.shelf import ORIGIN, Visitor, visitor
from workers.queues import open_queue

pytestmark = pytest.mark.only_on("sqlite")  # SQL has no part in it

PATHS = ["/ops/", "/ops", "/ops/rq/", "/ops/rq", "/ops/rq/0/data/queues.json", "/ops/nothing"]


@pytest.fixture
def open_ops(app: Flask, room: Stockroom, settings_of: Callable[..., Settings]) -> Callable[..., Flask]:
    """A further process of the shop with the dashboard mounted; environment variables as keywords."""

    def start(**environ: str) -> Flask:
        other = create_app(settings_of(**environ))
        ops.serve(other, app.extensions["settings"].redis_url, room.unfenced)
        return other

    return start


def operator(app: Flask, name: str = "ops", password: str = "secret", origin: str | None = ORIGIN) -> Visitor:
    """A browser that logs in by itself."""
    who = visitor(app, origin)
    who.environ_base["HTTP_AUTHORIZATION"] = "Basic " + b64encode(f"{name}:{password}".encode()).decode()
    return who


@pytest.mark.parametrize("path", PATHS)
def test_without_login_nothing_is_shown(open_ops: Callable[..., Flask], path: str) -> None:
    answer = visitor(open_ops(OPS_PASSWORD="secret")).get(path)

    assert answer.status_code == 401
    assert answer.headers["WWW-Authenticate"].startswith("Basic")


@pytest.mark.parametrize("name, password", [
    ("ops", "wrong"), ("root", "secret"), ("ops", ""), ("", ""), ("ops", "secret "), ("öps", "sécret"),
])  # fmt: skip
def test_a_wrong_login_is_refused(open_ops: Callable[..., Flask], name: str, password: str) -> None:
    answer = operator(open_ops(OPS_PASSWORD="secret"), name, password).get("/ops/rq/")

    assert answer.status_code == 401


def test_the_right_login_sees_console_and_dashboard(open_ops: Callable[..., Flask]) -> None:
    somebody = operator(open_ops(OPS_USERNAME="boss", OPS_PASSWORD="pässword"), "boss", "pässword")

    console, dashboard = somebody.get("/ops/"), somebody.get("/ops/rq/", follow_redirects=True)

    assert (console.status_code, dashboard.status_code) == (200, 200)
    assert "Orders placed" in console.text


@pytest.mark.parametrize("path", PATHS)
def test_without_ops_password_the_pages_are_not_there(open_ops: Callable[..., Flask], path: str) -> None:
    shop = open_ops()

    answers = [visitor(shop).get(path), operator(shop, password="").get(path)]

    assert [answer.status_code for answer in answers] == [404, 404]


def test_the_dashboard_lists_the_queue_and_its_jobs(app: Flask, open_ops: Callable[..., Flask]) -> None:
    _, queue = open_queue(app.extensions["settings"].redis_url)
    queue.enqueue("workers.jobs.expire_holds", description="expire-holds")
    somebody = operator(open_ops(OPS_PASSWORD="secret"))

    queues = somebody.get("/ops/rq/0/data/queues.json").get_json()["queues"]
    jobs = somebody.get("/ops/rq/0/data/jobs/default/queued/8/asc/1.json").get_json()["jobs"]

    assert [(found["name"], found["count"]) for found in queues] == [("default", 1)]
    assert [job["description"] for job in jobs] == ["expire-holds"]


@pytest.mark.parametrize("origin", [None, "https://evil.example", "null"])
def test_a_button_pressed_from_another_site_does_nothing(
    app: Flask, open_ops: Callable[..., Flask], origin: str | None
) -> None:
    _, queue = open_queue(app.extensions["settings"].redis_url)
    queue.enqueue("workers.jobs.expire_holds")

    answer = operator(open_ops(OPS_PASSWORD="secret"), origin=origin).post("/ops/rq/queue/default/queued/empty")

    assert answer.status_code == 403
    assert len(queue.job_ids) == 1


def test_a_button_pressed_on_the_dashboard_works(app: Flask, open_ops: Callable[..., Flask]) -> None:
    _, queue = open_queue(app.extensions["settings"].redis_url)
    queue.enqueue("workers.jobs.expire_holds")

    answer = operator(open_ops(OPS_PASSWORD="secret")).post("/ops/rq/queue/default/queued/empty")

    assert answer.status_code == 200
    assert queue.job_ids == []


def test_a_button_needs_the_login_too(app: Flask, open_ops: Callable[..., Flask]) -> None:
    answer = visitor(open_ops(OPS_PASSWORD="secret")).post("/ops/rq/queue/default/queued/empty")

    assert answer.status_code == 401


def failed_job(app: Flask) -> Job:
    """A job that a worker has tried and that failed."""
    redis, queue = open_queue(app.extensions["settings"].redis_url)
    job = queue.enqueue("workers.jobs.there_is_no_such_job")
    SimpleWorker([queue], connection=redis, serializer=JSONSerializer).work(burst=True)
    return job


def test_a_failed_job_is_shown_with_its_error_and_can_be_run_again(app: Flask, open_ops: Callable[..., Flask]) -> None:
    job = failed_job(app)
    somebody = operator(open_ops(OPS_PASSWORD="secret"))

    shown = somebody.get(f"/ops/rq/0/data/job/{job.id}.json").get_json()
    pressed = somebody.post(f"/ops/rq/job/{job.id}/requeue")

    assert "there_is_no_such_job" in shown["exc_info"]
    assert pressed.get_json() == {"status": "OK"}
    assert job.get_status(refresh=True) == "queued"


@pytest.mark.parametrize("origin", [None, ORIGIN, "https://evil.example"])
def test_following_a_link_changes_nothing(app: Flask, open_ops: Callable[..., Flask], origin: str | None) -> None:
    job = failed_job(app)

    answer = operator(open_ops(OPS_PASSWORD="secret"), origin=origin).get("/ops/rq/requeue/default")

    assert answer.status_code == 405
    assert job.get_status(refresh=True) == "failed"
