"""What the operator wrote in deployd.yaml and projects.d/, validated and frozen.

Everybody asks here, so that the files behind it may be cut otherwise.
"""

from deployd.settings.config_files import config_folder
from deployd.settings.containers import BuildSettings, ContainerSettings, Size
from deployd.settings.http_access import AddressPermission, HttpAccess
from deployd.settings.limits import CollectSettings, Limits, OutputSettings, Shares
from deployd.settings.load import SettingsInvalid, load_settings
from deployd.settings.mail import MailRelay, MailSettings, parse_relay
from deployd.settings.project import EnvironmentSettings, ProjectSettings, Remote, Strategy
from deployd.settings.protection import Protection, Window
from deployd.settings.router import AcmeSettings, OwnCertificate, RouterSettings, TlsSettings
from deployd.settings.settings import Settings
from deployd.settings.ssh import SshSettings
from deployd.settings.tokens import Token
from deployd.settings.variables import Variable

__all__ = [
    "AcmeSettings",
    "AddressPermission",
    "BuildSettings",
    "CollectSettings",
    "ContainerSettings",
    "EnvironmentSettings",
    "HttpAccess",
    "Limits",
    "MailRelay",
    "MailSettings",
    "OutputSettings",
    "OwnCertificate",
    "ProjectSettings",
    "Protection",
    "Remote",
    "RouterSettings",
    "Settings",
    "SettingsInvalid",
    "Shares",
    "Size",
    "SshSettings",
    "Strategy",
    "TlsSettings",
    "Token",
    "Variable",
    "Window",
    "config_folder",
    "load_settings",
    "parse_relay",
]
