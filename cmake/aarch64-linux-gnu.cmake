# Cross-builds for 64-bit ARM with Debian's compiler, and runs the tests under
# qemu. QUANTD_ARM_LIBRARIES is a folder with the arm64 libraries: see
# script/test-arm.
set(CMAKE_SYSTEM_NAME Linux)
set(CMAKE_SYSTEM_PROCESSOR aarch64)
set(CMAKE_CXX_COMPILER aarch64-linux-gnu-g++)
set(CMAKE_LIBRARY_ARCHITECTURE aarch64-linux-gnu)
# The compiler brings its own C library, and Debian has it where qemu looks.
set(CMAKE_CROSSCOMPILING_EMULATOR
    qemu-aarch64 -L /usr/aarch64-linux-gnu -E
    LD_LIBRARY_PATH=${QUANTD_ARM_LIBRARIES}/usr/lib/aarch64-linux-gnu)

list(APPEND CMAKE_TRY_COMPILE_PLATFORM_VARIABLES QUANTD_ARM_LIBRARIES)
set(CMAKE_FIND_ROOT_PATH ${QUANTD_ARM_LIBRARIES})
set(CMAKE_FIND_ROOT_PATH_MODE_INCLUDE ONLY)
set(CMAKE_FIND_ROOT_PATH_MODE_LIBRARY ONLY)
set(CMAKE_FIND_ROOT_PATH_MODE_PACKAGE ONLY)
set(CMAKE_FIND_ROOT_PATH_MODE_PROGRAM NEVER)
