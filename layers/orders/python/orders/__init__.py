"""The order domain: one order's life, from placed to delivered, and every way back.

Pure modules (``statuses``, ``money``, ``order``, ``decisions``, ``progress``, ``events``, ``errors``) know neither AWS nor
the clock. ``store`` is the only package that talks to DynamoDB, ``workflow`` the only module that talks to Step Functions.
"""
