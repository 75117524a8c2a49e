{
  lib,
  rustPlatform,
  installShellFiles,
}:

rustPlatform.buildRustPackage {
  pname = "catena";
  version = "0.1.0";

  # In nixpkgs: fetchurl of the release.
  src = lib.cleanSource ../..;

  cargoLock.lockFile = ../../Cargo.lock;

  nativeBuildInputs = [ installShellFiles ];

  buildFeatures = [ "base-names" ];
  cargoBuildFlags = [ "--package=catena" ];
  env.CATENA_SVDIR = "/etc/catena/service";

  # The end-to-end tests want root, and the programs of peers.
  cargoTestFlags = [
    "--workspace"
    "--lib"
  ];

  # In a profile no name of coreutils' or of a peer's is there twice.
  postInstall = ''
    mkdir build
    mv $out/bin build/bin
    echo "$CATENA_SVDIR" >build/svdir
    make install install-runit-names install-daemontools-names BUILD=build DESTDIR=staged PREFIX=$out BASE=others
    cp -R staged$out/bin staged$out/libexec $out
    installManPage staged$out/share/man/man*/*
    installShellCompletion staged$out/share/bash-completion/completions/*.bash \
      staged$out/share/fish/vendor_completions.d/*.fish --zsh staged$out/share/zsh/site-functions/_*
  '';

  meta = {
    description = "Chain-loading programs and supervision for run scripts";
    homepage = "https://catena.invalid";
    changelog = "https://catena.invalid/CHANGELOG.md";
    license = lib.licenses.isc;
    maintainers = [ ];
    mainProgram = "catena";
    platforms = lib.platforms.linux;
  };
}
