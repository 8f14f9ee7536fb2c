"""What all sections of the settings have in common."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from pydantic import BaseModel, ConfigDict, ValidationInfo, field_validator, model_validator


class Section(BaseModel):
    """A group of settings: immutable, no unknown keys, defaults checked like given values.

    A field of type SecretStr may be given by a file: `password_file` fills `password` unless that is set.
    """

    model_config = ConfigDict(extra="forbid", frozen=True, validate_default=True, hide_input_in_errors=True)

    @model_validator(mode="before")
    @classmethod
    def _read_secret_files(cls, data: Any) -> Any:
        if not isinstance(data, dict):
            return data
        filled = dict(data)
        for key in cls.file_keys():
            file = data.get(f"{key}_file")
            if file and not data.get(key):
                filled[key] = _read(f"{key}_file", file)
        return filled

    @field_validator("*", mode="before")
    @classmethod
    def _true_is_no_number(cls, value: Any, info: ValidationInfo) -> Any:
        field = cls.model_fields[info.field_name or ""]
        if isinstance(value, bool) and field.annotation in (int, float):
            raise ValueError("write a number")
        return value

    @classmethod
    def file_keys(cls) -> list[str]:
        """The fields that can be given by a `*_file`."""
        return [key for key in cls.model_fields if f"{key}_file" in cls.model_fields]


def _read(key: str, file: object) -> str:
    try:
        text = Path(str(file)).expanduser().read_text(encoding="utf-8").strip()
    except (OSError, UnicodeDecodeError) as error:
        reason = getattr(error, "strerror", None) or "not a text file"
        raise ValueError(f"{key} = {str(file)!r} cannot be read ({reason})") from error
    if not text:
        raise ValueError(f"{key} = {str(file)!r} is empty; it must hold the secret alone")
    return text
