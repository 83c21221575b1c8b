"""What the node and the processes of its apps tell each other."""

from __future__ import annotations

from ...federation.bundle import NAME, PUBLISHER

#: Variable that names the site's home.
HOME_VARIABLE = "FEDSCAN_SITE_HOME"

#: File in the home's folder ``run`` that is there while the coordinator has taken the node.
ACCEPTED = "node-accepted"

#: Stands for a run's app: the site's own, or none where its bundle was refused.
OWN, REFUSED = f"{PUBLISHER}/{NAME}", f"{PUBLISHER}/refused"
