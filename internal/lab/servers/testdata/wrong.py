"""A server that closes in the wrong way that its first argument names."""

import gc
import os
import socket
import sys


def serve(listener, way):
    connection, _ = listener.accept()
    if way == "collect":
        # The last reference goes away with unread data in the socket.
        while len(connection.recv(64, socket.MSG_PEEK)) < 64:
            pass
        del connection
        gc.collect()
        return
    connection.recv(1)
    if way == "shutdown-close":
        connection.shutdown(socket.SHUT_RDWR)
        connection.close()
    elif way == "shutdown":
        connection.shutdown(socket.SHUT_RDWR)
        sys.stdin.read()  # keeps the descriptor until the test is done
        connection.close()
    elif way == "exit":
        os._exit(3)  # open, and everything was read


with socket.socket() as listener:
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    listener.bind(("127.0.0.1", 8001))
    listener.listen()
    serve(listener, sys.argv[1])
    sys.stdin.read()  # the test says when to exit
