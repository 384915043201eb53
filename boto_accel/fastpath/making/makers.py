"""Which function of this folder answers which method in `_hook.MAKING`."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from boto_accel.fastpath.making import events, loading, rules

# maker(stock, owner, args, kwargs); stock(owner, *args, **kwargs) is the unpatched method
Maker = Callable[[Callable[..., Any], Any, tuple[Any, ...], Mapping[str, Any]], Any]

MAKERS: Mapping[str, Maker] = {
    "JSONFileLoader.load_file": loading.load_file,
    "Loader.list_available_services": loading.list_available_services,
    "EndpointProvider.__init__": rules.make_provider,
    "BaseEventHooks._verify_accept_kwargs": events.verify_accept_kwargs,
    "EventAliaser.__init__": events.make_aliaser,
}
