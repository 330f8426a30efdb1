"""The part of ComfyUI's V3 node API that our node uses, for tests: ComfyUI is on no index.

From: https://docs.comfy.org/custom-nodes/v3_migration; written anew.
"""
