"""Builds of .NET: what NuGet keeps between builds. There is no build flavor but `none`. Pure.

`dotnet publish` of the build hook copies what an application needs from there into its folder.
"""

from __future__ import annotations

from deployd.runtimes.runtime import Runtime

DOTNET = Runtime("dotnet", downloads={"NUGET_PACKAGES": "nuget"})
