"""Who calls, for LiteLLM's proxy: the key that a caller shows is the name of its account."""

from litellm.proxy._types import UserAPIKeyAuth


async def user_api_key_auth(request, api_key):
    return UserAPIKeyAuth(api_key=api_key, user_id=api_key)
