# For a client of Nomad with Debian's nginx-light and php8.2-fpm, and catena in /usr/bin: its exec driver makes a chroot of the
# client's own /bin, /etc, /lib and /usr, with a pid namespace of its own, and starts svtree there as the account nobody.
job "catena-example" {
  type = "service"

  group "web" {
    network {
      mode = "host"
      port "http" {
        static = 8080
      }
    }

    task "tree" {
      driver = "exec"

      # The directories service and srv of this example, as a tarball, into the root of the chroot.
      artifact {
        source      = "https://example.org/catena-example.tar.gz"
        destination = "/"
      }

      config {
        command = "/usr/bin/svtree"
        args    = ["-1p", "-s", "/local/sv", "/service"]
      }
      env {
        SVDIR = "/local/sv"
      }

      # More than the 25 s of service/.tree/timeout; a client allows no more than its max_kill_timeout, 30 s by default.
      kill_signal  = "SIGTERM"
      kill_timeout = "30s"

      service {
        provider = "consul"
        port     = "http"
        check {
          type     = "script"
          command  = "/usr/bin/svctl"
          args     = ["-w", "4", "check"]
          interval = "10s"
          timeout  = "5s"
        }
      }
    }
  }
}
