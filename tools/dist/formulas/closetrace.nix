{ lib, stdenvNoCC, fetchurl, installShellFiles }:
let
  sources = {
    x86_64-linux = { url = "{{url (archive "linux-amd64")}}"; sha256 = "{{sha256 (archive "linux-amd64")}}"; };
    aarch64-linux = { url = "{{url (archive "linux-arm64")}}"; sha256 = "{{sha256 (archive "linux-arm64")}}"; };
    x86_64-darwin = { url = "{{url (archive "darwin-amd64")}}"; sha256 = "{{sha256 (archive "darwin-amd64")}}"; };
    aarch64-darwin = { url = "{{url (archive "darwin-arm64")}}"; sha256 = "{{sha256 (archive "darwin-arm64")}}"; };
  };
in
stdenvNoCC.mkDerivation {
  pname = "closetrace";
  version = "{{.Version}}";
  src = fetchurl sources.${stdenvNoCC.hostPlatform.system};
  nativeBuildInputs = [ installShellFiles ];
  installPhase = ''
    install -Dm755 closetrace $out/bin/closetrace
    installManPage man/*.8
    installShellCompletion --bash --name closetrace completions/closetrace.bash
    installShellCompletion --zsh --name _closetrace completions/closetrace.zsh
    installShellCompletion --fish completions/closetrace.fish
  '';
  meta = {
    description = "Traces why TCP connections end";
    homepage = "https://github.com/closetrace/closetrace";
    license = lib.licenses.asl20;
    platforms = builtins.attrNames sources;
    mainProgram = "closetrace";
  };
}
