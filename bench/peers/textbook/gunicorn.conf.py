"""How gunicorn serves the API: threads, because a request waits for Redis or MongoDB and computes little."""

import os

bind = f"127.0.0.1:{os.environ.get('PORT', '8002')}"
worker_class = "gthread"
threads = 16
# Its place is the same for every gunicorn of a user, and two run side by side when the services are compared.
control_socket_disable = True
