"""The proxy in front of Flower's SuperLink: what passes, and from whom.

The SuperLink answers everything to everybody who can reach it, so it is bound to the loopback
interface. nginx passes on only the calls that a site's node makes, only with a certificate of this
federation that is not revoked, and only with the node key that was enrolled with it.
"""

from __future__ import annotations

import base64
import json
import os
import pwd
from collections.abc import Sequence
from pathlib import Path

from ...federation.bundle import bundle_hash
from ...federation.counter_signed import HEADS_PATH
from ...federation.diagnosis.machine import VERSIONS_PATH, installed_versions
from .counter_sign import HEADS
from .home import Home
from .members import Member

#: What a site's node calls. Registering and unregistering nodes is not among it.
_CALLS = (
    "activate-node",
    "deactivate-node",
    "send-node-heartbeat",
    "pull-messages",
    "push-messages",
    "get-run",
    "get-fab",
    "push-object",
    "pull-object",
    "confirm-message-received",
)

_TEMPLATE = """\
# Written by `fedscan coordinator start`; changes are lost.
daemon off;
{user}worker_processes 1;
worker_shutdown_timeout 10s;
pid "{run}/nginx.pid";
error_log stderr warn;

events {{
    worker_connections 1024;
}}

http {{
    log_format members '$time_iso8601 $remote_addr $ssl_client_serial '
                       '"$request_method $uri" $status $request_length $bytes_sent';
    # Into the same file as errors, which the coordinator keeps short.
    access_log /dev/stderr members;
    server_tokens off;
    client_body_temp_path "{run}/nginx-body";
    proxy_temp_path "{run}/nginx-proxy";
    fastcgi_temp_path "{run}/nginx-fastcgi";
    uwsgi_temp_path "{run}/nginx-uwsgi";
    scgi_temp_path "{run}/nginx-scgi";
    map_hash_bucket_size 256;
    limit_conn_zone $binary_remote_addr zone=callers:1m;

    # Serial number of a member's certificate to its name, and to its node's public key.
    map $ssl_client_serial $member {{
        default "";
{names}    }}
    map $ssl_client_serial $node_key {{
        default "of no member";
{members}    }}

    server {{
        listen {listen}:{port} ssl;
        ssl_certificate "{server}/server.crt";
        ssl_certificate_key "{server}/server.key";
        ssl_protocols TLSv1.2 TLSv1.3;
        ssl_session_tickets off;
        ssl_client_certificate "{authority}";
        ssl_crl "{revoked}";
        ssl_verify_client on;
        ssl_verify_depth 1;
        limit_conn callers 64;
        client_max_body_size 64m;
        # Updates pass through without lying on the disk.
        client_body_buffer_size 1m;
        proxy_request_buffering off;
        proxy_buffering off;
        proxy_http_version 1.1;
        proxy_read_timeout 120s;

        location / {{
            return 404;
        }}

        # For `fedscan doctor` at a site; members only, as everything else here.
        location = {versions_path} {{
            default_type application/json;
            return 200 '{versions}';
        }}

        # What the coordinator noted of this very member's ledgers.
        location = {heads_path} {{
            default_type application/json;
            log_not_found off;
            alias "{sites}/$member/{heads}";
        }}

        location ~ ^/v1/fleet/({calls})$ {{
            if ($request_method != POST) {{
                return 405;
            }}
            if ($http_flwr_public_key != $node_key) {{
                return 403;
            }}
            proxy_pass https://{superlink};
            proxy_set_header Connection "";
            proxy_ssl_verify on;
            proxy_ssl_verify_depth 1;
            proxy_ssl_trusted_certificate "{authority}";
            proxy_ssl_name localhost;
            proxy_ssl_protocols TLSv1.3;
        }}
    }}
}}
"""


def proxy_configuration(home: Home, members: Sequence[Member]) -> str:
    """Return nginx's configuration for these members."""
    addresses = home.addresses
    names = [f'        "{member.serial}" "{member.site}";\n' for member in members]
    lines = [
        f'        "{member.serial}" "{base64.b64encode(member.node_key).decode()}";\n'
        for member in members
    ]
    listen = f"[{addresses.listen}]" if ":" in addresses.listen else addresses.listen
    return _TEMPLATE.format(
        user=_user(),
        run=home.run,
        members="".join(lines),
        names="".join(names),
        sites=home.sites,
        heads=HEADS,
        heads_path=HEADS_PATH,
        listen=listen,
        port=addresses.port,
        server=home.server,
        authority=home.authority.certificate_file,
        revoked=home.authority.revocation_file,
        calls="|".join(_CALLS),
        versions_path=VERSIONS_PATH,
        versions=json.dumps({**installed_versions(), "bundle": bundle_hash()}),
        superlink=addresses.superlink,
    )


def configuration_file(home: Home) -> Path:
    """Return where nginx's configuration lies."""
    return home.proxy / "nginx.conf"


def _user() -> str:
    """Name the workers' user where nginx would choose another, who cannot read the folder."""
    return f"user {pwd.getpwuid(0).pw_name};\n" if os.geteuid() == 0 else ""
