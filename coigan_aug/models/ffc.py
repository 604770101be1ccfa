"""Fast Fourier convolution: a local and a global (spectral) path side by side.

Source: Chi et al. 2020, "Fast Fourier Convolution"; Suvorov et al. 2022, "LaMa", section 2.1.
A tensor of an FFC layer holds its local channels first, its global channels after them.
"""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor, nn

from coigan_aug.precision import at_least_float32

Norm = Callable[[int], nn.Module]


def conv_norm_relu(
    in_channels: int, out_channels: int, *, kernel: int, stride: int = 1, norm: Norm = nn.BatchNorm2d
) -> nn.Sequential:
    """Build convolution (reflected border, no bias), normalisation and ReLU.

    Shape: [B, in, H, W] -> [B, out, H / stride, W / stride]; H and W must exceed kernel // 2.
    """
    return nn.Sequential(
        nn.Conv2d(
            in_channels,
            out_channels,
            kernel,
            stride=stride,
            padding=kernel // 2,
            padding_mode="reflect" if kernel > 1 else "zeros",
            bias=False,
        ),
        norm(out_channels),
        nn.ReLU(),
    )


def spectrum(x: Tensor) -> Tensor:
    """Return the orthonormal half spectrum with real and imaginary parts interleaved as channels.

    Shape: [B, C, H, W] real -> [B, 2C, H, W // 2 + 1] real.
    """
    bins = torch.fft.rfft2(x, norm="ortho")
    return torch.stack((bins.real, bins.imag), dim=2).flatten(1, 2)


def from_spectrum(x: Tensor, *, width: int) -> Tensor:
    """Invert `spectrum` for an image of `width` columns, also where the spectrum is not Hermitian.

    A learned spectrum has no Hermitian symmetry in its first and its Nyquist column, and there the
    two-dimensional inverse differs between CPU and GPU libraries. So: inverse over the rows, then drop
    the imaginary parts which no real signal has, then inverse over the columns. All backends agree.

    Shape: [B, 2C, H, width // 2 + 1] real -> [B, C, H, width] real.
    """
    parts = x.unflatten(1, (-1, 2))  # [B, C, 2, H, width // 2 + 1]
    rows = torch.fft.ifft(torch.complex(parts[:, :, 0], parts[:, :, 1]), dim=-2, norm="ortho")
    column = torch.arange(rows.shape[-1], device=x.device)
    is_complex = (column > 0) & (2 * column != width)
    rows = torch.complex(rows.real, rows.imag * is_complex)
    return torch.fft.irfft(rows, n=width, dim=-1, norm="ortho")


class FourierUnit(nn.Module):
    """Mix the channels of an image in the frequency domain: every output pixel sees the whole image.

    Runs in float32 (float64 if given) whatever autocast says: half-precision transforms are missing on
    some devices and overflow on others.

    Shape: [B, channels, H, W] -> the same.
    """

    def __init__(self, channels: int, *, norm: Norm = nn.BatchNorm2d) -> None:
        super().__init__()
        self.mix = conv_norm_relu(2 * channels, 2 * channels, kernel=1, norm=norm)

    def forward(self, x: Tensor) -> Tensor:
        with torch.autocast(x.device.type, enabled=False):
            mixed = self.mix(spectrum(at_least_float32(x)))  # [B, 2C, H, W // 2 + 1]
            return from_spectrum(mixed, width=x.shape[-1]).to(x.dtype)


class SpectralTransform(nn.Module):
    """Global-to-global path of an FFC: squeeze to half the channels, Fourier unit with skip, expand.

    Shape: [B, channels, H, W] -> the same.
    """

    def __init__(self, channels: int, *, norm: Norm = nn.BatchNorm2d) -> None:
        super().__init__()
        self.squeeze = conv_norm_relu(channels, channels // 2, kernel=1, norm=norm)
        self.fourier = FourierUnit(channels // 2, norm=norm)
        self.expand = nn.Conv2d(channels // 2, channels, 1, bias=False)

    def forward(self, x: Tensor) -> Tensor:
        x = self.squeeze(x)  # [B, C / 2, H, W]
        return self.expand(x + self.fourier(x))


class FFC(nn.Module):
    """Convolve local and global channels, each output from both inputs.

    One 3x3 convolution serves local-to-local and local-to-global, another global-to-local.

    Shape: [B, local + global, H, W] -> the same; H and W at least 2 (reflected border).
    """

    def __init__(self, channels: int, *, global_channels: int, norm: Norm = nn.BatchNorm2d) -> None:
        super().__init__()
        local = channels - global_channels
        self.split = (local, global_channels)
        self.from_local = _reflected_conv(local, channels)
        self.global_to_local = _reflected_conv(global_channels, local)
        self.global_to_global = SpectralTransform(global_channels, norm=norm)

    def forward(self, x: Tensor) -> Tensor:
        x_local, x_global = x.split(self.split, dim=1)
        from_global = (self.global_to_local(x_global), self.global_to_global(x_global))
        return self.from_local(x_local) + torch.cat(from_global, dim=1)


def _reflected_conv(in_channels: int, out_channels: int) -> nn.Conv2d:
    return nn.Conv2d(in_channels, out_channels, 3, padding=1, padding_mode="reflect", bias=False)


class FFCBlock(nn.Module):
    """Residual block of two FFC layers, each with normalisation and ReLU; none after the sum.

    Shape: [B, channels, H, W] -> the same.
    """

    def __init__(self, channels: int, *, global_channels: int, norm: Norm = nn.BatchNorm2d) -> None:
        super().__init__()
        self.layers = nn.Sequential(
            FFC(channels, global_channels=global_channels, norm=norm),
            norm(channels),
            nn.ReLU(),
            FFC(channels, global_channels=global_channels, norm=norm),
            norm(channels),
            nn.ReLU(),
        )

    def forward(self, x: Tensor) -> Tensor:
        return x + self.layers(x)
