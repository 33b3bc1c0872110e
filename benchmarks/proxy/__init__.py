"""The gateway as a reverse proxy, beside nginx, Caddy and Traefik in one run."""
