#!/usr/bin/env python3
"""Run a program on a terminal of its own.

    terminal.py PROGRAM ARGUMENT...

The program's standard input and standard error are a new pseudo-terminal, which is also its controlling
terminal. What is written to our standard input is typed there (the byte 3 is Ctrl-C), and what the terminal shows
goes to our standard error. The program's standard output is ours. Ends as the program ended.
"""

import fcntl
import os
import pty
import select
import struct
import sys
import termios

COLUMNS, ROWS = 120, 40


def start(command):
    """Like pty.fork, but standard output stays where it is."""
    terminal, inside = pty.openpty()
    fcntl.ioctl(inside, termios.TIOCSWINSZ, struct.pack("HHHH", ROWS, COLUMNS, 0, 0))
    child = os.fork()
    if child == 0:
        os.close(terminal)
        os.setsid()
        fcntl.ioctl(inside, termios.TIOCSCTTY, 0)
        os.dup2(inside, 0)
        os.dup2(inside, 2)
        os.close(inside)
        os.execvp(command[0], command)
    os.close(inside)
    return child, terminal


def relay(terminal):
    """Until the program has closed its side, which reading reports as an error."""
    sources = [0, terminal]
    while True:
        for ready in select.select(sources, [], [])[0]:
            try:
                data = os.read(ready, 65536)
            except OSError:
                data = b""
            if ready == 0:
                if data:
                    os.write(terminal, data)
                else:
                    sources.remove(0)
            elif data:
                os.write(2, data)
            else:
                return


def main():
    child, terminal = start(sys.argv[1:])
    relay(terminal)
    code = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
    sys.exit(code if code >= 0 else 128 - code)


if __name__ == "__main__":
    main()
