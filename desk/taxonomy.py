"""What complaints are about, as the city sorts them: for the form of a work order, and for other programs."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from fastapi import APIRouter
from pydantic import BaseModel

from desk.models import Page


class Category(BaseModel):
    """A category with who answers for it; `kind` is what a matter of it usually is: 投诉, 报修, 求助 …"""

    category: str
    department: str
    kind: str


def taxonomy_router(categories: Sequence[Mapping[str, str]]) -> APIRouter:
    """The route /api/v1/taxonomy over these categories, which stay as they are."""
    router = APIRouter(prefix="/api/v1/taxonomy", tags=["work orders"])

    @router.get("", response_model=Page[Category])
    async def list_categories() -> dict[str, Any]:
        """All categories, the one for everything else last."""
        return {"items": list(categories), "total": len(categories), "page": 1}

    return router
