"""Whatever is wrong with a PACS ends in one sentence, and leaves the mirror as it is."""

from __future__ import annotations

import json
import os
import shutil
import socket
import subprocess
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import numpy as np
import pytest
from fedscan.client.sources.dicomweb import mirror_dicomweb
from fedscan.client.sources.settings import DicomwebSource
from fedscan.common.progress import no_progress
from fedscan.errors import ConfigurationError, DataError
from fedscan.federation.pki.authority import Authority
from fedscan.federation.pki.keys import new_key, write_private_key
from orthanc import Orthanc, free_port, orthanc, require_orthanc


def failure(url: str, root: Path, **options: object) -> str:
    with pytest.raises(DataError) as caught:
        mirror_dicomweb(DicomwebSource(url=url, **options), root, no_progress)
    assert caught.value.hint
    return caught.value.message


def test_a_wrong_address_is_told_by_what_is_wrong_with_it(tmp_path):
    port = free_port()
    assert (
        failure(f"http://localhost:{port}/x", tmp_path) == f"Nothing listens at localhost:{port}."
    )
    unknown = "http://pacs.invalid/dicom-web"
    assert failure(unknown, tmp_path) == "The name pacs.invalid cannot be resolved."


@pytest.mark.parametrize(
    "url", ["pacs", "ftp://pacs/x", "http://", "http://user:secret@pacs/dicom-web"]
)
def test_an_address_of_another_form_is_refused(url):
    with pytest.raises(ConfigurationError, match="not of the form") as caught:
        DicomwebSource(url=url)
    assert "secret" not in str(caught.value)


def test_an_unknown_keyword_is_refused():
    with pytest.raises(ConfigurationError, match="'StudyDat' is not a DICOM keyword"):
        DicomwebSource(url="http://pacs", query={"StudyDat": "2020"})


def test_another_path_of_the_pacs_is_no_dicomweb_service(pacs, tmp_path):
    assert "no DICOMweb service" in failure(f"{pacs.root}/other", tmp_path)
    # Orthanc's own interface has studies too, in a language of its own.
    assert "refuses the search (status 400)" in failure(pacs.root, tmp_path)


def test_a_login_page_is_no_dicomweb_service(tmp_path):
    with odd_pacs(page=b"<html>log in</html>") as url:
        assert "does not answer as a DICOMweb service" in failure(url, tmp_path)
    with odd_pacs(page=b'["an", "identifier"]') as url:
        assert "does not answer as a DICOMweb service" in failure(url, tmp_path)


def test_credentials_are_asked_for_and_taken_from_a_file(phantoms, tmp_path):
    require_orthanc()
    secret = tmp_path / "credentials"
    with orthanc(tmp_path / "o", RegisteredUsers={"fedscan": "pass:word"}) as pacs:
        pacs.add(*phantoms.rglob("*.dcm"))
        assert "asks for credentials (status 401)" in failure(pacs.url, tmp_path / "m")
        secret.write_text("fedscan:wrong")
        message = failure(pacs.url, tmp_path / "m", credentials=secret)
        assert "does not accept the credentials" in message
        assert "wrong" not in message
        secret.write_text("fedscan:pass:word\n")
        source = DicomwebSource(url=pacs.url, credentials=secret)
        assert mirror_dicomweb(source, tmp_path / "m", no_progress).failed == 0


def test_a_file_without_credentials_is_refused(tmp_path):
    for content in ("", "a\nb"):
        (tmp_path / "credentials").write_text(content)
        source = DicomwebSource(url="http://localhost:1", credentials=tmp_path / "credentials")
        with pytest.raises(ConfigurationError, match="does not have one line"):
            mirror_dicomweb(source, tmp_path / "m", no_progress)


_PROXY = """
daemon off;
{user}
pid "{folder}/nginx.pid";
events {{}}
http {{
    access_log off;
    client_body_temp_path "{folder}";
    proxy_temp_path "{folder}";
    fastcgi_temp_path "{folder}";
    uwsgi_temp_path "{folder}";
    scgi_temp_path "{folder}";
    server {{
        listen 127.0.0.1:{port} ssl;
        ssl_certificate "{folder}/server.crt";
        ssl_certificate_key "{folder}/server.key";
        location /dicom-web/ {{ proxy_pass {pacs}; }}
    }}
}}
"""


@contextmanager
def encrypted(pacs: Orthanc, folder: Path) -> Iterator[str]:
    """Put nginx with TLS before Orthanc, as docs/pacs.md has it."""
    nginx = shutil.which("nginx", path="/usr/sbin:/usr/bin:/usr/local/sbin:/usr/local/bin")
    if nginx is None:
        pytest.skip("needs nginx (Debian: nginx-light)")
    port = free_port()
    user = "user root;" if os.geteuid() == 0 else ""
    file = folder / "nginx.conf"
    file.write_text(_PROXY.format(folder=folder, port=port, pacs=pacs.root, user=user))
    process = subprocess.Popen([nginx, "-p", str(folder), "-c", str(file), "-e", "stderr"])
    try:
        for _ in range(300):
            try:
                socket.create_connection(("127.0.0.1", port)).close()
                break
            except OSError:
                time.sleep(0.1)
        yield f"https://localhost:{port}/dicom-web"
    finally:
        process.terminate()
        process.wait(60)


def test_tls_is_verified_against_the_given_authority_only(phantoms, tmp_path, monkeypatch):
    require_orthanc()
    own = Authority.create(tmp_path / "ca", "hospital")
    other = Authority.create(tmp_path / "other", "another")
    key = new_key()
    write_private_key(tmp_path / "server.key", key)
    (tmp_path / "server.crt").write_bytes(own.issue_server(["localhost"], key.public_key()))
    # The environment must not weaken what the site wrote down.
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", str(own.certificate_file))
    with orthanc(tmp_path / "o") as pacs, encrypted(pacs, tmp_path) as url:
        pacs.add(*list(phantoms.rglob("*.dcm"))[:2])
        good = DicomwebSource(url=url, authority=own.certificate_file)
        assert mirror_dicomweb(good, tmp_path / "m", no_progress).instances == 2
        assert "was not issued by the authority that is trusted here" in failure(
            url, tmp_path / "m", authority=other.certificate_file
        )
        assert "is not for the name 127.0.0.1" in failure(
            url.replace("localhost", "127.0.0.1"),
            tmp_path / "m",
            authority=own.certificate_file,
        )


def test_a_silent_pacs_is_given_up(tmp_path):
    with socket.create_server(("127.0.0.1", 0)) as server:
        url = f"http://127.0.0.1:{server.getsockname()[1]}/dicom-web"
        assert "does not answer in time" in failure(url, tmp_path, timeout_s=0.2)


def uid(tag: str, value: str) -> dict[str, object]:
    return {tag: {"vr": "UI", "Value": [value]}}


class OddPacs(BaseHTTPRequestHandler):
    """Lists one instance and then gives something else, as ``instance`` says."""

    study = "1.2.3"
    page = b""
    instance: tuple[int, str, bytes, int] = (404, "text/plain", b"", 0)

    def do_GET(self) -> None:
        path = self.path.partition("?")[0]
        if self.page:
            return self.answer(200, "text/html", self.page)
        if "offset=0" not in self.path and not path.endswith("/instances/1.2.5"):
            return self.answer(200, "application/dicom+json", b"[]")
        listing = {
            "/studies": uid("0020000D", self.study),
            "/studies/1.2.3/series": uid("0020000E", "1.2.4"),
            "/studies/1.2.3/series/1.2.4/instances": uid("00080018", "1.2.5"),
        }
        if path in listing:
            body = json.dumps([listing[path]]).encode()
            return self.answer(200, "application/dicom+json", body)
        return self.answer(*self.instance)

    def answer(self, status: int, kind: str, body: bytes, missing: int = 0) -> None:
        self.send_response(status)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(body) + missing))
        self.end_headers()
        self.wfile.write(body)
        self.close_connection = missing > 0

    def log_message(self, *_: object) -> None:
        pass


@contextmanager
def odd_pacs(**behaviour: object) -> Iterator[str]:
    handler = type("Handler", (OddPacs,), behaviour)
    with ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.server_address[1]}"
        finally:
            server.shutdown()
            thread.join()


MULTIPART = 'multipart/related; type="application/dicom"; boundary=x'


@pytest.mark.parametrize(
    ("instance", "said"),
    [
        ((404, "text/plain", b"", 0), "1 instances failed"),
        ((200, "text/html", b"<html>log in</html>", 0), "1 instances failed"),
        ((200, MULTIPART, b"--x\r\n\r\nDICM\r\n--x--", 0), "1 instances failed"),
        ((200, MULTIPART, b"--x\r\n\r\nDICM", 0), "broke off"),
        ((200, MULTIPART, b"--x\r\n\r\nDICM", 500), "broke off"),
        ((503, "text/plain", b"", 0), "status 503"),
        ((403, "text/plain", b"", 0), "does not allow this user"),
    ],
)
def test_what_is_no_instance_is_not_kept(tmp_path, instance, said):
    with odd_pacs(instance=instance) as url:
        assert said in failure(url, tmp_path)
    assert not list((tmp_path / "images").iterdir())
    assert not list((tmp_path / "incoming").iterdir())


def test_an_instance_without_multipart_is_taken_as_it_is(tmp_path, make_image, save_dicom):
    ds = make_image(np.zeros((16, 16), np.int16), SOPInstanceUID="1.2.5")
    ds.StudyInstanceUID, ds.SeriesInstanceUID = "1.2.3", "1.2.4"
    content = save_dicom(ds, tmp_path / "one").read_bytes()
    with odd_pacs(instance=(200, "application/dicom", content, 0)) as url:
        mirror_dicomweb(DicomwebSource(url=url), tmp_path / "m", no_progress)
    (found,) = (tmp_path / "m" / "images").rglob("*.dcm")
    assert found.read_bytes() == content


@pytest.mark.parametrize("study", ["../../../etc", "1.2/../3", "1.2?x=y", "", "1" * 65])
def test_a_uid_that_is_none_never_becomes_an_address_or_a_path(tmp_path, study):
    with odd_pacs(study=study) as url:
        assert "no study that matches" in failure(url, tmp_path)
