class Closetrace < Formula
  desc "Traces why TCP connections end"
  homepage "https://github.com/closetrace/closetrace"
  version "{{.Version}}"
  license "Apache-2.0"

  on_macos do
    on_arm do
      url "{{url (archive "darwin-arm64")}}"
      sha256 "{{sha256 (archive "darwin-arm64")}}"
    end
    on_intel do
      url "{{url (archive "darwin-amd64")}}"
      sha256 "{{sha256 (archive "darwin-amd64")}}"
    end
  end

  on_linux do
    on_arm do
      url "{{url (archive "linux-arm64")}}"
      sha256 "{{sha256 (archive "linux-arm64")}}"
    end
    on_intel do
      url "{{url (archive "linux-amd64")}}"
      sha256 "{{sha256 (archive "linux-amd64")}}"
    end
  end

  def install
    bin.install "closetrace"
    man8.install Dir["man/*.8"]
    bash_completion.install "completions/closetrace.bash" => "closetrace"
    zsh_completion.install "completions/closetrace.zsh" => "_closetrace"
    fish_completion.install "completions/closetrace.fish"
  end

  test do
    assert_match version.to_s, shell_output("#{bin}/closetrace version")
  end
end
