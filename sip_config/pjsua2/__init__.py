"""The capacity build of pjsua2: the same Python module, with limits for hundreds of calls in one process."""
