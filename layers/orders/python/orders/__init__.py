"""The order pipeline: one order's life, from placed to delivered, and every way back.

``domain`` knows neither AWS nor the clock; ``services`` say one sentence of it each; ``adapters`` talk to AWS and to outside
parties (``adapters.store`` alone to DynamoDB, ``adapters.workflow`` alone to Step Functions); ``web`` is what callers see.
"""
