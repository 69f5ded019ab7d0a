# The types of the names that __init__.py resolves when they are used.
from privrep.auditing.compare import compare as compare
from privrep.auditing.options import AuditOptions as AuditOptions
from privrep.auditing.plan import plan as plan
from privrep.auditing.report import AuditReport as AuditReport
from privrep.auditing.run_audit import audit as audit
from privrep.deploy.encoder import Encoded as Encoded
from privrep.deploy.encoder import Encoder as Encoder
from privrep.deploy.encoder import load as load
from privrep.deploy.person_file import Person as Person
from privrep.deploy.recordings import Recordings as Recordings
from privrep.grl import gradient_reversal as gradient_reversal
from privrep.leakage.measurement import measure as measure
from privrep.types import InferenceSettings as InferenceSettings
from privrep.types import Sample as Sample
from privrep.types import Utterance as Utterance

__version__: str
