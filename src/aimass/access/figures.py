"""What the room counts for Prometheus."""

from __future__ import annotations

METRICS = {
    "access_sign_ins": "Sign-ins of people, by way (password, provider) and result: ok, or the code of the error.",
    "access_lock_outs": "Attempts that were turned away because too many had failed, by what was tried.",
    "access_tokens": "Tokens that programs asked for, by grant and result: ok, or the code of the error.",
    "access_device_codes": "Codes of devices: begun, allowed and denied.",
    "access_revocations": "What was ended or taken back: keys, tokens, devices, sessions.",
}
